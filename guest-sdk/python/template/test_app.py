import unittest

from app import Line, Order, Total, add_up
from stepwell import TaskError


class AddUp(unittest.TestCase):
    def test_an_order_costs_what_its_lines_cost(self):
        order = Order("7", [Line("CUP", 2, 950), Line("TEA", 1, 400)])
        self.assertEqual(add_up(order), Total("7", 2300))

    def test_an_empty_order_fails_by_name(self):
        with self.assertRaises(TaskError) as failure:
            add_up(Order("8", []))
        self.assertEqual(failure.exception.error, "EmptyOrder")


if __name__ == "__main__":
    unittest.main()
