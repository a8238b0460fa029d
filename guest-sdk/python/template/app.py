"""The task of {{name}}: adds up an order."""

from dataclasses import dataclass

from stepwell import TaskError, log, task


@dataclass
class Line:
    sku: str
    quantity: int
    cents: int


@dataclass
class Order:
    id: str
    lines: list[Line]


@dataclass
class Total:
    id: str
    cents: int


@task
def add_up(order: Order) -> Total:
    """Returns what an order costs."""
    if not order.lines:
        raise TaskError("EmptyOrder", f"order {order.id} has no lines")
    cents = sum(line.quantity * line.cents for line in order.lines)
    log.info(f"order {order.id} costs {cents} cents")
    return Total(id=order.id, cents=cents)
