// {{name}} charges a card, and declines large sums.
package main

import (
	"stepwell"
	"stepwell/log"
)

type payment struct {
	Order string `json:"order"`
	Cents uint64 `json:"cents"`
}

type charge struct {
	ID    string `json:"id"`
	Cents uint64 `json:"cents"`
}

func init() { stepwell.Task(chargeCard) }

// main is never called: Go wants one.
func main() {}

func chargeCard(input payment) (charge, error) {
	if input.Order == "" {
		return charge{}, stepwell.Fail(stepwell.InvalidInput, "the order is missing")
	}
	if input.Cents > 100_000 {
		return charge{}, stepwell.Fail("CardDeclined", "%d cents is too much", input.Cents)
	}
	log.Infof("attempt %d charges %d cents", stepwell.Context().Attempt, input.Cents)
	return charge{ID: "charge-" + input.Order, Cents: input.Cents}, nil
}
