// Package audit writes what happens to audit devices: files, syslog, sockets. It knows neither Raft
// nor routes: who calls it says what happened, and which devices there are.
//
// Invariants: a record is written when Trail.Request or Trail.Response returns nil, by at
// least one device, and "written" means that the operating system has it; both return within the
// longest write deadline of the devices, whatever the devices do; a device that is stuck fails at
// once, without anybody waiting for it, until it has come back; a device holds at most queueLines
// records. Every device has one goroutine, which alone touches its file or connection.
//
// No token and no accessor is written as it is, unless a device has log_raw: an HMAC-SHA256 under
// the device's salt stands for it, and for every other text in the data of requests and answers.
package audit
