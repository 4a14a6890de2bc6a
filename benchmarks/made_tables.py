"""Tables of kinds that no bundled table is: results of matches, a log of requests.

Everything is drawn from one seed, so that a table is the same wherever it is drawn.
"""

from __future__ import annotations

import datetime

import numpy as np

SYLLABLES = "ka ro mi ten dal vo shi ber lin gor na pe tri sul ha".split()
COUNTRIES = "USA ESP FRA SRB SUI GER ARG AUS RUS ITA CRO JPN GBR CZE".split()
ROUNDS = ["R32"] * 16 + ["R16"] * 8 + ["QF"] * 4 + ["SF"] * 2 + ["F"]
SURFACES = ("Hard", "Clay", "Grass")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:{major}.0) Gecko/20100101 Firefox/{major}.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{major}.0.{minor}.{patch}",
    "curl/8.{patch}.0",
)
PATHS = (
    "/",
    "/cart",
    "/static/app.js",
    "/item/{number}",
    "/user/{number}/orders",
    "/search?q={word}",
)


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(SYLLABLES, int(rng.integers(2, 4))))


def matches(rows: int = 8000, seed: int = 21) -> str:
    """Results of matches: what is told of a player depends on the player, whoever wins."""
    rng = np.random.default_rng(seed)
    players = []
    for number in range(300):
        name = f"{_word(rng).title()} {_word(rng).title()}"
        hand, country = rng.choice(["R", "R", "R", "L"]), rng.choice(COUNTRIES)
        height = "" if rng.random() < 0.1 else str(int(rng.integers(168, 205)))
        born = int(rng.integers(0, 6000))
        players.append(
            [100000 + 7 * number + int(rng.integers(0, 7)), name, hand, height, country, born]
        )
    rank = rng.permutation(300) + 1
    points = np.round(9000 * np.exp(-rank / 60)).astype(int)
    told = "id name hand ht ioc age".split()
    head = ["tourney_id", "tourney_name", "surface", "tourney_date", "match_num"]
    for role in ("winner", "loser"):
        head += [f"{role}_{part}" for part in told] + [f"{role}_rank", f"{role}_rank_points"]
    lines = [",".join([*head, "score", "round", "minutes"])]
    day, number = datetime.date(2005, 1, 3), 0
    while len(lines) <= rows:
        number += 1
        name, surface = _word(rng).title(), rng.choice(SURFACES)
        entrants = rng.choice(300, 32, replace=False)
        for place, stage in enumerate(ROUNDS):
            first, second = rng.choice(entrants, 2, replace=False)
            cells = [
                f"{day.year}-{400 + number % 60}",
                name,
                surface,
                f"{day:%Y%m%d}",
                str(place + 1),
            ]
            sides = (first, second) if rng.random() < 0.6 else (second, first)
            for who in sides:
                *facts, born = players[who]
                age = ((day - datetime.date(1995, 1, 1)).days + born) / 365.25 + 12
                cells += [*map(str, facts), f"{age:.1f}", str(rank[who]), str(points[who])]
            sets = [f"6-{rng.integers(0, 5)}" for _ in range(int(rng.integers(2, 4)))]
            lines.append(",".join([*cells, " ".join(sets), stage, str(int(rng.gamma(9, 11)))]))
        day += datetime.timedelta(days=7)
        rank[rng.integers(0, 300, 40)] += rng.integers(-2, 3, 40)
        rank = np.maximum(rank, 1)
        points = np.maximum(
            points + np.where(rng.random(300) < 0.2, rng.integers(-90, 95, 300), 0), 1
        )
    return "\n".join(lines[: rows + 1]) + "\n"


def requests(rows: int = 6000, seed: int = 22) -> str:
    """A log of a web server: addresses, moments, paths, versions, identities, and a sentence."""
    rng = np.random.default_rng(seed)
    visitors = [
        (".".join(map(str, rng.integers(1, 255, 4))), AGENTS[rng.integers(0, 3)].format(
            major=rng.integers(90, 125), minor=rng.integers(4000, 6000), patch=rng.integers(0, 200)
        ))
        for _ in range(400)
    ]  # fmt: skip
    terms = [_word(rng) for _ in range(60)]
    moment, order = datetime.datetime(2026, 3, 1, 6), 70000
    lines = ["address,moment,request,status,bytes,agent,trace,event"]
    for number in range(rows):
        moment += datetime.timedelta(milliseconds=int(rng.exponential(900)))
        address, agent = visitors[min(int(rng.exponential(60)), 399)]
        path = PATHS[rng.integers(0, len(PATHS))].format(
            number=rng.integers(1000, 9000), word=rng.choice(terms)
        )
        status = rng.choice([200, 200, 200, 200, 304, 404, 500])
        order += int(rng.integers(0, 3))
        trace = rng.bytes(8).hex() if number % 3 else rng.bytes(16).hex()
        trace = f"{trace[:8]}-{trace[8:]}" if number % 3 else trace
        event = f"req#{number:06d} order ORD-{order} served in {rng.gamma(3, 12):.1f} ms by node{rng.integers(1, 9)}"
        stamp = f"{moment:%d/%b/%Y:%H:%M:%S} +0000"
        size = int(rng.lognormal(7, 1.3))
        lines.append(
            f'{address},[{stamp}],"GET {path} HTTP/1.1",{status},{size},"{agent}",{trace},{event}'
        )
    return "\n".join(lines) + "\n"


MADE = {"matches": matches, "requests": requests}
