//go:build linux

package servers

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed kafka/pom.xml kafka/log4j2.properties
var kafkaFiles embed.FS

// cacheDir is where things that take long to get are kept between runs:
// HEARTWIRE_CACHE, or heartwire in the user's cache directory.
func cacheDir() (string, error) {
	if dir := os.Getenv("HEARTWIRE_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory; set HEARTWIRE_CACHE: %w", err)
	}
	return filepath.Join(dir, "heartwire"), nil
}

// cached is the directory name in the cache, made by fill the first time.
// Several test processes may ask at once: one fills, the others wait.
func cached(name string, fill func(dir string) error) (string, error) {
	root, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	dir := filepath.Join(root, name)
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half, err := os.MkdirTemp(root, name+"-half-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(half)
	if err := fill(half); err != nil {
		return "", fmt.Errorf("fill %s: %w", dir, err)
	}
	if err := os.Chmod(half, 0o755); err != nil {
		return "", err
	}
	return dir, os.Rename(half, dir)
}

// java is how to run a class of Apache Kafka: Java and its options, all but the class.
type java struct {
	argv []string
	dir  string // of the jars
}

// findJava gets Kafka's jars into the cache, once for each version of the pom.
func findJava() (java, error) {
	bin, err := look("java")
	if err != nil {
		return java{}, err
	}
	pom, err := fs.ReadFile(kafkaFiles, "kafka/pom.xml")
	if err != nil {
		return java{}, err
	}
	sum := sha256.Sum256(pom)
	dir, err := cached("kafka-"+hex.EncodeToString(sum[:6]), fetchJars)
	if err != nil {
		return java{}, err
	}
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil {
		return java{}, err
	}
	slices.Sort(jars) // an archive of classes is good for one order only
	return java{dir: dir, argv: []string{
		bin, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto",
		"-Dlog4j2.configurationFile=" + filepath.Join(dir, "log4j2.properties"),
		"-cp", strings.Join(jars, ":"),
	}}, nil
}

func fetchJars(dir string) error {
	mvn, err := look("mvn")
	if err != nil {
		return err
	}
	files, err := fs.Sub(kafkaFiles, "kafka")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	cmd := exec.Command(mvn, "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory="+dir)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch Apache Kafka's jars: %w\n%s", err, out)
	}
	return nil
}

// archive is the option that lets a broker start from an archive of its
// loaded classes, in 3.6 s instead of 6 s. The archive is made once, by a
// broker that starts and stops.
func (j java) archive(t testing.TB) []string {
	t.Helper()
	dir, err := cached(filepath.Base(j.dir)+"-classes", func(dir string) error {
		k := newCluster(t, j, 1, KafkaOptions{})
		n := k.nodes[0]
		n.argv = slices.Insert(n.argv, 1, "-Xlog:cds=off", "-XX:ArchiveClassesAtExit="+filepath.Join(dir, "kafka.jsa"))
		k.up()
		n.end(syscall.SIGTERM, time.Minute)
		return nil
	})
	if err != nil {
		t.Fatalf("archive Kafka's classes: %v", err)
	}
	return []string{"-XX:SharedArchiveFile=" + filepath.Join(dir, "kafka.jsa")}
}
