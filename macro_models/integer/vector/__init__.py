"""The integer arithmetic between two matrix-vector products, bit by bit: the reference of a tile's vector unit.

Cores differ in the scales of their columns, so a core's codes are first brought to a scale that its layer shares (the
*leaf*), then added with wrap-around (associative, so that any tree of additions gives the same sum), then finished (the
*root*): bias, ReLU, and, where the value that is made is one of codes, requantisation. Everything else that is done to
a value, element by element, is here too: :class:`Encode`, :class:`WeightedSum`, :class:`Limit`, :class:`Table`,
:class:`Largest`, :class:`Select`, :class:`Product`.

Leaf, root, encode, weighted sum, limit and the argument of a table are instances of one formula,

    ``clip(((sum_k (a_k - c) m_k) >> s) + d, low, high)``,    ``>>`` rounding half up,

which :func:`finish` ends:

============  ==============  =====================  =====  =======  ====================================
operation     a               c, m                   s      d        low, high
============  ==============  =====================  =====  =======  ====================================
leaf          code            0, multiplier          shift  0        none: :func:`check_headroom` proves it
root          sum of leaves   -bias, 1               shift  0        codes, or from 0 up for a ReLU
encode        lane            offset, multiplier     shift  0        codes
weighted sum  several lanes   0, multipliers         shift  offset   lanes
limit         lane            0, 1                   0      0        low, high
table         lane            0, multiplier          shift  512      0, 1023: the entry that is taken
============  ==============  =====================  =====  =======  ====================================

Widths: codes 13 bits signed (two-segment operations), multipliers 15 bits and a sign, sums of products 32 bits, lanes
16 bits signed, shifts 0..31. That the sum of a lane cannot overflow is proved by the compiler; intermediate sums may
wrap.
"""

from mho.macro_models.integer.vector.leaf import LeafSum, check_headroom, largest_code, scale_leaf, sum_leaves
from mho.macro_models.integer.vector.operations import (
    LANE_MAX,
    MULTIPLIER_MAX,
    PAD,
    SHIFT_MAX,
    SUM_MAX,
    TABLE_HALF,
    Encode,
    Largest,
    Limit,
    Product,
    Requantise,
    Root,
    Select,
    Table,
    WeightedSum,
    finish,
    padded,
    run_of,
    take_elements,
    take_rows,
    take_vectors,
    with_padding,
)

__all__ = [
    "LANE_MAX", "MULTIPLIER_MAX", "PAD", "SHIFT_MAX", "SUM_MAX", "TABLE_HALF", "Encode", "Largest", "LeafSum", "Limit",
    "Product", "Requantise", "Root", "Select", "Table", "WeightedSum", "check_headroom", "finish", "largest_code",
    "padded", "run_of", "scale_leaf", "sum_leaves", "take_elements", "take_rows", "take_vectors", "with_padding",
]
