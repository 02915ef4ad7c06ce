package patch

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// schemes of a broker's address, those with TLS last.
var schemes = []string{"tcp", "mqtt", "ssl", "tls", "mqtts"}

// broker is where patches connect to, with all files read.
type broker struct {
	addr       string
	tls        *tls.Config // nil: none
	user, pass string
}

// open reads the files that the configuration names for its broker.
func (c *Config) open() (*broker, error) {
	u, err := url.Parse(c.Broker)
	if err != nil {
		return nil, fmt.Errorf("simulate.broker: %w", err)
	}
	b := &broker{addr: u.Host, user: c.User}
	if u.Scheme != "tcp" && u.Scheme != "mqtt" {
		b.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	}
	if c.CAFile != "" {
		ca, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("simulate.ca_file: %w", err)
		}
		if b.tls == nil {
			return nil, errors.New("simulate.ca_file: the broker's address must be ssl:// to use it")
		}
		b.tls.RootCAs = x509.NewCertPool()
		if !b.tls.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("simulate.ca_file: %s holds no certificate in PEM", c.CAFile)
		}
	}
	if c.PasswordFile != "" {
		pass, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("simulate.password_file: %w", err)
		}
		b.pass = strings.TrimRight(string(pass), "\r\n")
	}
	return b, nil
}

const (
	keepAlive   = 20 * time.Second
	dialTimeout = 5 * time.Second
	// After half as long again as the keep-alive without a packet a
	// connection counts as dead, on this side as on the broker's (MQTT 3.1.1, 3.1.2.10).
	silence = keepAlive * 3 / 2
)

// conn is a connection as a patch has it: it publishes and reads
// acknowledgements, and subscribes to nothing. The packets of a session that
// are not yet acknowledged stay with the link, which sends them again under
// their own numbers (4.4): that is what paho's client does not leave to its user.
type conn struct {
	net   net.Conn
	w     *bufio.Writer
	acks  chan uint16 // numbers of packets that the broker has; closed with the connection
	wrote time.Time   // when something last was
	cause error       // why it was lost; read after acks is closed
}

// dial connects under a client identifier, with the session kept and a last
// will to be published when the connection is torn. At most window packets
// may be without acknowledgement at a time.
func (b *broker) dial(ctx context.Context, id string, window int, will *message) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var dialer interface {
		DialContext(context.Context, string, string) (net.Conn, error)
	} = &net.Dialer{}
	if b.tls != nil {
		dialer = &tls.Dialer{Config: b.tls}
	}
	nc, err := dialer.DialContext(ctx, "tcp", b.addr)
	if err != nil {
		return nil, err
	}
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion = "MQTT", 4
	p.ClientIdentifier, p.Keepalive = id, uint16(keepAlive/time.Second)
	p.WillFlag, p.WillQos, p.WillRetain = true, 1, true
	p.WillTopic, p.WillMessage = will.topic, will.payload
	p.UsernameFlag, p.Username = b.user != "", b.user
	p.PasswordFlag, p.Password = b.pass != "", []byte(b.pass)
	if deadline, ok := ctx.Deadline(); ok {
		nc.SetDeadline(deadline)
	}
	r := bufio.NewReaderSize(nc, 512)
	if err := connack(nc, r, p); err != nil {
		nc.Close()
		return nil, err
	}
	nc.SetDeadline(time.Time{})
	c := &conn{net: nc, w: bufio.NewWriterSize(nc, 8<<10), acks: make(chan uint16, window), wrote: time.Now()}
	go c.read(r)
	return c, nil
}

// connack says CONNECT and waits for the answer.
func connack(nc net.Conn, r *bufio.Reader, p *packets.ConnectPacket) error {
	if err := p.Write(nc); err != nil {
		return err
	}
	answer, err := packets.ReadPacket(r)
	if err != nil {
		return err
	}
	ack, ok := answer.(*packets.ConnackPacket)
	if !ok {
		return fmt.Errorf("the broker answered CONNECT with %s", answer)
	}
	if ack.ReturnCode != packets.Accepted {
		return fmt.Errorf("the broker refused the connection: %w", packets.ConnErrors[ack.ReturnCode])
	}
	return nil
}

// read passes on acknowledgements until the connection ends.
func (c *conn) read(r *bufio.Reader) {
	defer close(c.acks)
	for {
		c.net.SetReadDeadline(time.Now().Add(silence))
		var head [4]byte
		if _, err := readFull(r, head[:2]); err != nil {
			c.cause = err
			return
		}
		switch {
		case head[0]>>4 == packets.Pingresp && head[1] == 0:
		case head[0]>>4 == packets.Puback && head[1] == 2:
			if _, err := readFull(r, head[2:]); err != nil {
				c.cause = err
				return
			}
			c.acks <- binary.BigEndian.Uint16(head[2:])
		default:
			c.cause = fmt.Errorf("the broker sent a packet of type %d, which a publisher does not expect", head[0]>>4)
			c.net.Close()
			return
		}
	}
}

func readFull(r *bufio.Reader, b []byte) (int, error) {
	for i := range b {
		c, err := r.ReadByte()
		if err != nil {
			return i, err
		}
		b[i] = c
	}
	return len(b), nil
}

// publish writes a message at QoS 1 into the buffer.
func (c *conn) publish(m *message, again bool) error {
	head := byte(packets.Publish<<4 | 1<<1)
	if m.retain {
		head |= 1
	}
	if again {
		head |= 1 << 3
	}
	var b [64]byte
	start := append(b[:0], head)
	start = binary.AppendUvarint(start, uint64(2+len(m.topic)+2+len(m.payload))) // MQTT's remaining length is the same varint
	start = binary.BigEndian.AppendUint16(start, uint16(len(m.topic)))
	start = append(start, m.topic...)
	start = binary.BigEndian.AppendUint16(start, m.id)
	c.net.SetWriteDeadline(time.Now().Add(dialTimeout))
	if _, err := c.w.Write(start); err != nil {
		return err
	}
	_, err := c.w.Write(m.payload)
	return err
}

// flush sends what is in the buffer, and a ping when there has been nothing
// to send for a while.
func (c *conn) flush(now time.Time) error {
	if c.w.Buffered() == 0 {
		if now.Sub(c.wrote) < keepAlive/2 {
			return nil
		}
		if err := c.w.WriteByte(packets.Pingreq << 4); err != nil {
			return err
		}
		if err := c.w.WriteByte(0); err != nil {
			return err
		}
	}
	c.wrote = now
	c.net.SetWriteDeadline(now.Add(dialTimeout))
	return c.w.Flush()
}

// bye ends the connection in order: the broker forgets the last will.
func (c *conn) bye() {
	c.net.SetWriteDeadline(time.Now().Add(time.Second))
	c.w.Write([]byte{packets.Disconnect << 4, 0})
	c.w.Flush()
	c.tear()
}

// tear ends the connection as a patch out of reach does: the broker publishes
// the last will.
func (c *conn) tear() {
	c.net.Close()
	for range c.acks { // let the reader end
	}
}
