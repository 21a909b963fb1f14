package cluster

import (
	"os"
	"syscall"
)

// syncData makes what was written to f durable, without its time stamps (fdatasync(2)).
func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var synced error
	err = conn.Control(func(fd uintptr) {
		for synced = syscall.Fdatasync(int(fd)); synced == syscall.EINTR; synced = syscall.Fdatasync(int(fd)) {
		}
	})
	if err == nil {
		err = os.NewSyscallError("fdatasync", synced)
	}
	return err
}
