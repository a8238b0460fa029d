//go:build !wasip1

package log

import (
	"fmt"
	"os"
)

func hostWrite(level uint32, message string) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", Level(level), message)
}
