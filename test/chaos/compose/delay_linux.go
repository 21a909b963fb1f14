package compose

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// delayer takes packets that iptables sent to NFQUEUE 0 of a network namespace, and lets each go on
// later, in order. Only the first bytes of a packet come here: it stays in the kernel.
type delayer struct {
	socket  int
	time    time.Duration
	held    chan packet
	closing atomic.Bool
	running sync.WaitGroup
}

// packet is one that waits in the kernel.
type packet struct {
	id  uint32
	due time.Time
}

// Numbers of linux/netfilter/nfnetlink_queue.h.
const (
	queuePacket, queueVerdict, queueConfig   = 3 << 8, 3<<8 | 1, 3<<8 | 2
	attrPacket, attrVerdict                  = 1, 2
	configCommand, configParams, configLimit = 1, 2, 3
	bindQueue, copyMeta, accept              = 1, 1, 1
	// heldPackets is how many wait at most; the kernel drops what is more, as a slow line does.
	heldPackets = 8192
)

// delay starts to delay in the network namespace of a process.
func delay(pid string, by time.Duration) (*delayer, error) {
	socket, err := socketIn("/proc/" + pid + "/ns/net")
	if err != nil {
		return nil, err
	}
	d := &delayer{socket: socket, time: by, held: make(chan packet, heldPackets)}
	for _, attr := range [][]byte{
		attribute(configCommand, []byte{bindQueue, 0, 0, 0}),
		attribute(configParams, []byte{0, 0, 0, 64, copyMeta}),
		attribute(configLimit, binary.BigEndian.AppendUint32(nil, heldPackets)),
	} {
		if err := d.configure(attr); err != nil {
			return nil, errors.Join(err, unix.Close(socket))
		}
	}
	d.running.Go(d.receive)
	d.running.Go(d.release)
	return d, nil
}

// close lets everything go that is held.
func (d *delayer) close() {
	d.closing.Store(true)
	d.running.Wait()
	unix.Close(d.socket)
}

// socketIn makes a netlink socket in another network namespace; it stays there.
func socketIn(namespace string) (int, error) {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return 0, err
	}
	defer own.Close()
	other, err := os.Open(namespace)
	if err != nil {
		return 0, err
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, fmt.Errorf("entering %s: %w", namespace, err)
	}
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return 0, errors.Join(err, back) // the thread stays locked: it must serve nobody else
	}
	runtime.UnlockOSThread()
	if err != nil {
		return 0, fmt.Errorf("a netlink socket: %w", err)
	}
	timeout := unix.NsecToTimeval(int64(100 * time.Millisecond))
	return socket, errors.Join(
		unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptInt(socket, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1),
		unix.Bind(socket, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// attribute is: length, number, value, zeros to a multiple of four.
func attribute(number uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, number)
	b = append(b, value...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

// message is: length, kind, flags, sequence, port; family, version, queue 0; attributes.
func message(kind, flags uint16, attr []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(20+len(attr)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = append(b, make([]byte, 12)...)
	return append(b, attr...)
}

// configure sends a request and waits for the kernel's word.
func (d *delayer) configure(attr []byte) error {
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	if err := unix.Sendto(d.socket, message(queueConfig, unix.NLM_F_REQUEST|unix.NLM_F_ACK, attr), 0, kernel); err != nil {
		return fmt.Errorf("asking for a packet queue: %w", err)
	}
	buf := make([]byte, 4096)
	n, _, err := unix.Recvfrom(d.socket, buf, 0)
	switch {
	case err != nil:
		return fmt.Errorf("asking for a packet queue: %w", err)
	case n < 20 || binary.NativeEndian.Uint16(buf[4:]) != unix.NLMSG_ERROR:
		return errors.New("asking for a packet queue: the kernel answers something else")
	}
	if code := int32(binary.NativeEndian.Uint32(buf[16:])); code != 0 {
		return fmt.Errorf("asking for a packet queue: %w", unix.Errno(-code))
	}
	return nil
}

// receive takes packets until close.
func (d *delayer) receive() {
	defer close(d.held)
	buf := make([]byte, 1<<16)
	last := time.Now()
	for !d.closing.Load() {
		n, _, err := unix.Recvfrom(d.socket, buf, 0)
		if err != nil {
			continue // nothing came within the time-out
		}
		for _, id := range packets(buf[:n]) {
			due := time.Now().Add(d.time*3/4 + rand.N(d.time/2+1))
			if due.Before(last) {
				due = last
			}
			last = due
			d.held <- packet{id, due}
		}
	}
}

// packets returns the numbers of the packets that netlink messages tell of.
func packets(b []byte) []uint32 {
	var ids []uint32
	for len(b) >= 20 {
		length := int(binary.NativeEndian.Uint32(b))
		if length < 20 || length > len(b) {
			break
		}
		if binary.NativeEndian.Uint16(b[4:]) == queuePacket {
			ids = append(ids, packetIDs(b[20:length])...)
		}
		b = b[min(len(b), (length+3)&^3):]
	}
	return ids
}

func packetIDs(attrs []byte) []uint32 {
	for len(attrs) >= 4 {
		length, number := int(binary.NativeEndian.Uint16(attrs)), binary.NativeEndian.Uint16(attrs[2:])
		if length < 4 || length > len(attrs) {
			break
		}
		if number&0x3fff == attrPacket && length >= 8 {
			return []uint32{binary.BigEndian.Uint32(attrs[4:])}
		}
		attrs = attrs[min(len(attrs), (length+3)&^3):]
	}
	return nil
}

// release lets packets go when they are due, at once after close.
func (d *delayer) release() {
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	for p := range d.held {
		for wait := time.Until(p.due); wait > 0 && !d.closing.Load(); wait = time.Until(p.due) {
			t := time.NewTimer(min(wait, 50*time.Millisecond))
			<-t.C
		}
		verdict := binary.BigEndian.AppendUint32(nil, accept)
		verdict = binary.BigEndian.AppendUint32(verdict, p.id)
		// The container may be gone, and its packets with it: nothing to do then.
		_ = unix.Sendto(d.socket, message(queueVerdict, unix.NLM_F_REQUEST, attribute(attrVerdict, verdict)), 0, kernel)
	}
}
