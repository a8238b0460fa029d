// The conformance guest echo: shows the input, the context and the time left, and logs one line.
package main

import (
	"encoding/json"

	"stepwell"
	"stepwell/log"
)

type taskContext struct {
	ExecutionARN   string  `json:"executionArn"`
	StateName      string  `json:"stateName"`
	Attempt        uint32  `json:"attempt"`
	IdempotencyKey string  `json:"idempotencyKey"`
	TaskToken      *string `json:"taskToken"`
}

type shown struct {
	Input    json.RawMessage `json:"input"`
	Context  taskContext     `json:"context"`
	TimeLeft bool            `json:"timeLeft"`
}

func init() { stepwell.Task(echo) }

func main() {}

func echo(input json.RawMessage) (shown, error) {
	log.Infof("echo in %s", "go")
	context := stepwell.Context()
	output := shown{
		Input: input,
		Context: taskContext{
			ExecutionARN:   context.ExecutionARN,
			StateName:      context.StateName,
			Attempt:        context.Attempt,
			IdempotencyKey: context.IdempotencyKey,
		},
		TimeLeft: stepwell.Remaining() > 0,
	}
	if context.TaskToken != "" {
		output.Context.TaskToken = &context.TaskToken
	}
	return output, nil
}
