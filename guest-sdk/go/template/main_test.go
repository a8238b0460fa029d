package main

import (
	"errors"
	"testing"

	"stepwell"
)

func TestSmallSumsAreCharged(t *testing.T) {
	charged, err := chargeCard(payment{Order: "7", Cents: 1999})
	if err != nil || charged.ID != "charge-7" {
		t.Fatalf("found %+v, %v", charged, err)
	}
}

func TestLargeSumsAreDeclined(t *testing.T) {
	_, err := chargeCard(payment{Order: "7", Cents: 100_001})
	var failure *stepwell.TaskError
	if !errors.As(err, &failure) || failure.Name != "CardDeclined" {
		t.Fatalf("found %v", err)
	}
}
