#!/usr/bin/env bash
# The demo: a server on a new store, four modules, the order workflow and what became of four orders, a batch of them.
# Called by `make demo`, which builds what it needs. It stops the server at the end, or leaves it running when a
# person is watching (DEMO_KEEP=yes).
set -euo pipefail

bin=${BIN:?the stepwell binary}
guests=${GUESTS:?the folder of built modules}
here=$(dirname "$0")
keep=${DEMO_KEEP:-$([ -t 1 ] && echo yes || echo no)}
data=$(mktemp -d)
address=${DEMO_LISTEN:-127.0.0.1:8083}
log=$data/server.log

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

"$bin" serve --listen "$address" --store "sled:$data/store" >"$log" 2>&1 &
server=$!
stop() {
  kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true
  rm -rf "$data"
}
trap stop EXIT

say "Starting the server on $address, store sled:$data/store"
export STEPWELL_ENDPOINT=http://$address
for _ in $(seq 100); do
  kill -0 "$server" 2>/dev/null || { echo "The server did not start:"; cat "$log"; exit 1; }
  "$bin" machine list >/dev/null 2>&1 && break
  sleep 0.1
done

say "Uploading four task modules, written in Rust, compiled to WebAssembly components"
for name in reserve-stock charge-card ship-order refund-card; do
  "$bin" module put "$name" "$guests/${name//-/_}.wasm"
done

say "Creating the order workflow from $here/order.asl.json"
"$bin" machine create order --definition "$here/order.asl.json"

for order in small busy-gateway large refunded; do
  say "Order '$order': $(tr -d '\n' <"$here/orders/$order.json" | tr -s ' ')"
  "$bin" execution start order --name "$order" --input-file "$here/orders/$order.json" --wait
  "$bin" execution history "order:$order"
done

say "Creating the batch workflow from $here/batch.asl.json: a Map of orders, each with a Parallel, variables, functions"
"$bin" machine create batch --definition "$here/batch.asl.json"
say "Batch 'night': four orders, two at a time"
"$bin" execution start batch --name night --input-file "$here/orders/batch.json" --wait
"$bin" execution history batch:night

say "Creating the quote workflow from $here/quote.asl.json: the same orders in JSONata"
"$bin" machine create quote --definition "$here/quote.asl.json"
say "Quote 'night'"
"$bin" execution start quote --name night --input-file "$here/orders/batch.json" --wait
"$bin" execution history quote:night

say "Trying an expression"
expression='$states.input.orders.items{sku: $sum(quantity)}'
echo "stepwell jsonata '$expression' --input $here/orders/batch.json"
"$bin" jsonata "$expression" --input "$here/orders/batch.json"

say "All executions"
"$bin" execution list order
"$bin" execution list batch
"$bin" execution list quote

if [ "$keep" = yes ]; then
  say "The server runs at http://$address until you press Ctrl-C. In another terminal:"
  cat <<TEXT
  $bin execution start order --input-file $here/orders/small.json --wait
  aws stepfunctions list-state-machines --endpoint-url http://$address --region us-east-1 --no-sign-request
TEXT
  trap 'exit 0' INT
  wait "$server"
else
  say "The server ran at http://$address; it is stopped and its data removed"
fi
