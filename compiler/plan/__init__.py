"""What an architect asks of a network on a chip before it runs: what runs where, how long, with how much memory."""

from mho.compiler.plan.plan import Product, overflow, plan, products_of, products_of_placement

__all__ = ["Product", "overflow", "plan", "products_of", "products_of_placement"]
