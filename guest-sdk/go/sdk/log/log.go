// Package log writes lines for the execution's log.
//
// The functions format like fmt.Sprintf. The host keeps a bounded amount per call and drops the rest. A native build
// writes to standard error. Keep secrets out: whoever may read the execution's log reads these lines.
package log

import (
	"fmt"
	"strings"
)

// Level says how important a line is.
type Level uint32

// From the least to the most important; the numbers are those of the enum in wit/task.wit.
const (
	// Trace is every step.
	Trace Level = iota
	// Debug is for whoever debugs the module.
	Debug
	// Info is what happened.
	Info
	// Warn is something to look at.
	Warn
	// Error is something that failed.
	Error
)

// String returns the level's name.
func (level Level) String() string {
	return [...]string{"trace", "debug", "info", "warn", "error"}[min(level, Error)]
}

// Write writes one message.
func Write(level Level, message string) {
	// The host takes UTF-8 and the five levels only.
	hostWrite(uint32(min(level, Error)), strings.ToValidUTF8(message, "\uFFFD"))
}

// Tracef writes a formatted message at level trace.
func Tracef(format string, arguments ...any) { Write(Trace, fmt.Sprintf(format, arguments...)) }

// Debugf writes a formatted message at level debug.
func Debugf(format string, arguments ...any) { Write(Debug, fmt.Sprintf(format, arguments...)) }

// Infof writes a formatted message at level info.
func Infof(format string, arguments ...any) { Write(Info, fmt.Sprintf(format, arguments...)) }

// Warnf writes a formatted message at level warn.
func Warnf(format string, arguments ...any) { Write(Warn, fmt.Sprintf(format, arguments...)) }

// Errorf writes a formatted message at level error.
func Errorf(format string, arguments ...any) { Write(Error, fmt.Sprintf(format, arguments...)) }
