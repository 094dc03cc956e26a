"""What an architect asks of a network on a chip before it runs: what runs where, how long, with how much memory."""

from compiler.plan.fitting import fitting, overflow
from compiler.plan.plan import Product, plan, products_of, products_of_placement

__all__ = ["Product", "fitting", "overflow", "plan", "products_of", "products_of_placement"]
