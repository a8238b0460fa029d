// The conformance guest slow: gives a sign of life before every pause.
package main

import (
	"time"

	"stepwell"
)

type pace struct {
	Beats             int `json:"beats"`
	PauseMilliseconds int `json:"pauseMilliseconds"`
}

type done struct {
	Beats int `json:"beats"`
}

func init() { stepwell.Task(slow) }

func main() {}

func slow(input pace) (done, error) {
	for range input.Beats {
		stepwell.Heartbeat()
		time.Sleep(time.Duration(input.PauseMilliseconds) * time.Millisecond)
	}
	return done{Beats: input.Beats}, nil
}
