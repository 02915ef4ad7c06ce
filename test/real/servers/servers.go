// Package servers starts real servers for tests: Apache Kafka, mosquitto, a
// proxy that breaks connections, a browser. Each listens on free ports of the
// loopback, keeps its files in the test's own directory, ends with the test
// (or with the test's process, whatever ends that), and prints the end of its
// log when the test fails. A server that cannot be had fails the test and says
// what to install; see package real.
//
// It needs Linux: servers are paused by signals and die with their parent.
package servers
