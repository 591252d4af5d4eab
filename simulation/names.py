"""Names and handles of the simulated users."""

from collections.abc import Sequence

from numpy.random import Generator

FIRST_NAMES = (
    "Amara", "Anouk", "Bao", "Beatriz", "Björn", "Carmen", "Chidi", "Cleo", "Dalia", "Dmitri", "Edda", "Elio", "Emre",
    "Farah", "Finn", "Freya", "Giulia", "Hana", "Hugo", "Ikram", "Imani", "Ines", "Ivo", "Jamal", "Jonna", "Kaito",
    "Kavya", "Keanu", "Lale", "Leif", "Lucía", "Magnus", "Maya", "Mei", "Milan", "Nadia", "Nils", "Noor", "Odile",
    "Oskar", "Paloma", "Petra", "Quinn", "Ravi", "Rosa", "Saga", "Samir", "Selma", "Tariq", "Tilda", "Uma", "Viktor",
    "Wanja", "Ximena", "Yara", "Yusuf", "Zora", "Zuri",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Adler", "Almeida", "Bakker", "Bellini", "Bergström", "Castro", "Chaudhry", "Dahl", "Demir", "Diallo",
    "Ekström", "Eriksen", "Farouk", "Ferreira", "Fontaine", "Gallo", "Haddad", "Hoshino", "Ibarra", "Ishida", "Jansen",
    "Kaya", "Keller", "Kowal", "Laine", "Lindqvist", "Lund", "Mbeki", "Moreau", "Nakata", "Navarro", "Nguyen",
    "Novak", "Okafor", "Olsen", "Pereira", "Petrov", "Quist", "Rahman", "Romano", "Salo", "Santos", "Sato", "Serrano",
    "Sharma", "Silva", "Sorel", "Tanaka", "Toledo", "Ueda", "Varga", "Vidal", "Weiss", "Yilmaz", "Zeman",
)  # fmt: skip
STUDIO_WORDS = ("frames", "light", "lens", "outside", "diary", "stills", "roams", "hours", "pictures", "notes")
_PLAIN = str.maketrans({"ö": "o", "í": "i", "é": "e", "ü": "u", "å": "a", "ä": "a"})


def draw_names(count: int, studios: int, rng: Generator) -> list[tuple[str, str]]:
    """Distinct (handle, display name) pairs. The first `studios` handles are those of creators."""
    taken: set[str] = set()
    names = []
    for index in range(count):
        first, last = str(rng.choice(FIRST_NAMES)), str(rng.choice(LAST_NAMES))
        handle = _handle(first, last, STUDIO_WORDS if index < studios else (), rng)
        while handle in taken:
            handle = f"{handle}{rng.integers(2, 100)}"
        taken.add(handle)
        names.append((handle, f"{first} {last}"))
    return names


def _handle(first: str, last: str, words: Sequence[str], rng: Generator) -> str:
    first, last = first.lower().translate(_PLAIN), last.lower().translate(_PLAIN)
    if words:
        return f"{first}.{rng.choice(words)}"
    forms = (f"{first}.{last}", f"{first}{last}", f"{first}_{last[0]}", f"{first[0]}{last}", f"{last}.{first}")
    return str(rng.choice(forms))
