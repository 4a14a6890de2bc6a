"""What a cell looks like, before anything is known of its column: a gap, a figure, a unit, a name.

This is how a header, a row of units and the lines around a table are told from its records; what a
column is, and which values it has, is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# words for nothing; whatever has neither letter nor digit ("?", "--", "*", "") is a gap as well
GAP_WORDS = frozenset(["na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing", "#na"])
FEW_LETTERS = 4  # beside the digits of a figure: months, currencies, units, T and Z of times
LONGEST_FIGURE = 40
RULERS = frozenset("-=+|:_~ ")
# degC, m/s, W m-2, kg*m^2, %, [hPa], (°C), m³/h
UNIT = re.compile(
    r"[\[(]?[a-zA-Z°º%‰µμΩÅ$€£¥#][\w°º%‰µμΩÅ/*^·.²³⁻¹ -]{0,14}[\])]?|[\[(].{0,14}[\])]|yyyy\S*"
)
# words that are units and hardly anything else
UNIT_WORDS = frozenset(
    "m cm mm km um nm mi ft s sec ms min h hr d g kg mg t lb oz k c f v mv kv a ma w kw mw kwh "
    "wh hz khz mhz ghz pa hpa kpa mpa bar mbar psi atm deg degc degf degrees celsius kelvin "
    "fahrenheit percent pct ppm ppb ppt rpm l ml mol lux lx db dba j kj cal kcal n kn nm ohm "
    "mph kmh kts knots usd eur gbp utc yr day days hours minutes seconds pixel px count counts "
    "unitless".split()
)
UNIT_SIGNS = frozenset("[]()/%°º^µμΩ²³⁻‰€$£")
DIGITS = re.compile(r"\d+")
LETTERS = re.compile(r"[^\W\d_]+")
