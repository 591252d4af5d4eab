"""Captions and tags of pictures, from what a picture shows.

A caption is a sentence about the subject, often with a second one about the moment. Each names the facts
(`Depiction.facts`) without which it would not be true: "a|b" is one of two facts, and several are all needed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product

import numpy as np

ALONE_SHARE = 0.35  # captions of one sentence
MOST_CAPTIONS = 60  # alternatives offered for one picture


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a caption, and what a picture has to show: one of each set of facts."""

    text: str
    needs: tuple[frozenset[str], ...] = ()

    def fits(self, facts: Collection[str]) -> bool:
        """Whether it is true of a picture with these facts."""
        return all(any(fact in facts for fact in choice) for choice in self.needs)


def _say(text: str, *needs: str) -> Sentence:
    return Sentence(text, tuple(frozenset(choice.split("|")) for choice in needs))


SUBJECTS: dict[str, tuple[Sentence, ...]] = {
    "mountains": (
        _say("Worth every step of the climb"),
        _say("My knees disagree, but look at this"),
        _say("Thin air, big view"),
        _say("Three valleys from one rock"),
        _say("Lunch spot of the year", "day"),
        _say("Took the long way up on purpose"),
        _say("Nobody else up here today"),
        _say("That peak has been on my list since school"),
        _say("Left the hut at four, got here at first light", "dawn"),
        _say("The ridge turned gold for exactly ten minutes", "golden"),
        _say("The last light stays on the summit", "sunset|golden"),
        _say("The map said easy path"),
        _say("Four hours up, one photo, two hours down"),
        _say("You can see the next three days of walking from here"),
    ),
    "sea": (
        _say("Salt on everything, happy anyway"),
        _say("Could listen to this all day"),
        _say("First swim of the year, very short", "day|dawn|golden"),
        _say("Watched the light move for an hour"),
        _say("The horizon is my favourite line"),
        _say("Missed the ferry, no regrets"),
        _say("Waves before breakfast", "dawn"),
        _say("Somewhere out there is tomorrow's weather"),
        _say("One sail and a lot of water", "sail"),
        _say("That boat has the better view", "sail"),
        _say("Somebody is still out there", "sail"),
        _say("The headland keeps the wind off", "headland"),
        _say("Walked out to where the land ends", "headland"),
        _say("The coast path goes over that hill", "headland"),
        _say("The wind finally dropped", "golden|sunset|dusk"),
        _say("Every wave gets its own bit of light", "sunset|golden|dawn"),
        _say("Nothing between here and the other side"),
    ),
    "city": (
        _say("Every window is somebody's evening", "dusk|night"),
        _say("Lights on, one by one", "dusk"),
        _say("Blue hour from the other bank", "dusk"),
        _say("The city does not sleep, so neither do I", "night"),
        _say("Counted the lit windows and gave up", "night|dusk"),
        _say("The moon came up behind the towers", "moon"),
        _say("Full moon over the office", "moon"),
        _say("The skyline twice", "dusk|night|sunset|golden|dawn"),
        _say("The river has seen it all"),
        _say("Walked home along the water instead of taking the bus"),
        _say("New in town and already lost twice"),
        _say("The towers before the first tram", "dawn"),
        _say("The glass catches the last sun", "golden|sunset"),
        _say("It looks so quiet from over here"),
        _say("My desk is somewhere in there"),
        _say("The best seat in town is a bench by the river"),
        _say("Almost nobody awake yet", "dawn"),
    ),
    "forest": (
        _say("The fog stayed until ten", "mist"),
        _say("Every row of trees a little paler", "slopes", "mist"),
        _say("It smells like rain and resin here"),
        _say("Followed a path that was not on the map"),
        _say("Quietest morning in months"),
        _say("Found no mushrooms, found this"),
        _say("Rays of light through the tops", "slopes|trunks", "golden|mist|day"),
        _say("The hillside keeps going", "slopes"),
        _say("Spruces all the way down to the river", "slopes"),
        _say("Light between the trunks", "trunks"),
        _say("Old trees, new boots", "trunks"),
        _say("Stood still until the birds forgot me", "trunks"),
        _say("Half an hour from the motorway, believe it or not"),
        _say("The green is on its way out", "autumn"),
        _say("Everything went brown in a week", "autumn"),
        _say("The valley hides down there somewhere", "slopes"),
        _say("No signal, finally"),
    ),
    "night": (
        _say("Thirty seconds of not breathing"),
        _say("Drove two hours to get away from the lights", "milky way"),
        _say("You can see the whole arm of it", "milky way"),
        _say("First try at the Milky Way", "milky way"),
        _say("No moon tonight, finally", "milky way"),
        _say("The sky moved like a curtain", "aurora"),
        _say("The app said maybe, the sky said yes", "aurora"),
        _say("Green down to the treetops", "aurora"),
        _say("I cried a little, the aurora did not care", "aurora"),
        _say("Bright enough to read by", "moon"),
        _say("The moon on its own tonight", "moon"),
        _say("Waited until it was over the hill", "moon"),
        _say("Cold hands, warm tea, this sky"),
        _say("Could not sleep, so I went outside"),
        _say("We turned the torches off and waited"),
        _say("Somebody is still reading in there", "tent"),
        _say("Home for one night", "tent"),
        _say("Our tent is the only light for miles", "tent"),
        _say("The same stars in the water", "lake", "milky way"),
        _say("The lake lay perfectly still", "lake"),
    ),
    "desert": (
        _say("Sand in my shoes for the next month"),
        _say("The wind writes these overnight"),
        _say("Climbed the tall one, slid down again"),
        _say("Shadows an hour before dark", "golden|sunset"),
        _say("No sound at all out here"),
        _say("Water bottle empty, memory card full"),
        _say("Every dune hides another one"),
        _say("The colour is real, I promise"),
        _say("Footprints gone by morning"),
        _say("Camels not in the picture, but nearby"),
        _say("Forty degrees, and it is only noon", "day"),
        _say("Up before the heat", "dawn"),
        _say("The sand is cold already", "dusk"),
        _say("One sharp edge between light and shade", "golden|dawn|sunset"),
    ),
    "lake": (
        _say("Not a breath of wind", "mirror"),
        _say("Which way up does this go?", "mirror"),
        _say("Mirror, mirror", "mirror"),
        _say("The mountains came twice", "mirror"),
        _say("The water was still asleep", "mirror", "dawn|mist"),
        _say("A little breeze, and the mirror breaks", "ripples"),
        _say("The wind draws lines on the water", "ripples"),
        _say("Rowed to the middle and stopped"),
        _say("Too cold for more than toes"),
        _say("Coffee with this in front of me", "dawn|day|mist"),
        _say("Round the lake in four hours"),
        _say("One fish jumped right after this"),
        _say("Came for a swim, stayed for the light"),
        _say("We had the whole shore to ourselves"),
        _say("The far shore is all trees"),
    ),
    "sunset": (
        _say("Stopped the car for this"),
        _say("Same balcony, new sky every evening"),
        _say("Told everyone to look up from their phones"),
        _say("The sun takes its time here", "sunset|golden"),
        _say("Today ended well"),
        _say("Dinner got cold, worth it"),
        _say("Another one for the collection"),
        _say("Sky on fire again", "sunset"),
        _say("Goodnight from here", "dusk|sunset"),
        _say("The sea took the sun", "sea"),
        _say("A path of light right to my feet", "sea", "sunset|golden"),
        _say("Hill behind hill behind hill", "hills"),
        _say("The valleys fill up with haze", "hills"),
        _say("That tree has the best place", "tree"),
        _say("One tree, and all that sky", "tree"),
        _say("The birds go home too", "birds"),
        _say("Rush hour, a different kind", "birds"),
        _say("The sun is gone, the colour stays", "dusk"),
    ),
    "snow": (
        _say("First tracks", "clear"),
        _say("It fell all night and then stopped", "clear"),
        _say("Minus twelve and not a cloud", "clear", "day|dawn"),
        _say("It has not stopped since Friday", "snowfall"),
        _say("Flakes the size of coins", "snowfall"),
        _say("You can hear it fall", "snowfall"),
        _say("Cannot see the top today", "snowfall|mist"),
        _say("Everything sounds different today"),
        _say("My fingers paid for this one"),
        _say("Skis in the car, just looking"),
        _say("Hot chocolate after this"),
        _say("Winter came over the weekend"),
        _say("Nobody has walked here yet"),
        _say("Each fir got its own coat"),
        _say("The snow turns pink for a minute", "dawn|golden|dusk"),
    ),
    "flowers": (
        _say("The daisies did this by themselves", "daisy"),
        _say("Loves me, loves me not", "daisy"),
        _say("A whole meadow of daisies behind our house", "daisy"),
        _say("Poppies by the railway line", "poppy"),
        _say("The red is not edited", "poppy"),
        _say("Paper petals", "poppy|anemone"),
        _say("Cosmos from a two-euro bag of seeds", "cosmos"),
        _say("They nod at everyone who walks past", "cosmos|anemone"),
        _say("Taller than my father by now", "sunflower"),
        _say("It looks at me, not at the sun", "sunflower"),
        _say("The sparrows are waiting for the seeds", "sunflower"),
        _say("Forty petals, I counted", "dahlia"),
        _say("The dahlias are late and huge this year", "dahlia"),
        _say("My neighbour's dahlias, photographed over the fence", "dahlia"),
        _say("Cornflowers at the edge of the barley", "cornflower"),
        _say("Bluer than the sky today", "cornflower"),
        _say("The first anemones under the hedge", "anemone"),
        _say("The garden did this by itself"),
        _say("Seeds from my grandmother, third year"),
        _say("The bees got there first"),
        _say("On my way to work, late now", "dawn|mist|day"),
        _say("On my knees in the wet grass for this", "dawn|mist"),
        _say("I only came out to water them", "golden|day"),
    ),
    "food": (
        _say("The barista drew a leaf", "coffee"),
        _say("Coffee first, everything else later", "coffee", "morning"),
        _say("They know my order by now", "coffee"),
        _say("Second cup, do not judge", "coffee"),
        _say("Soup weather", "soup"),
        _say("My grandmother's recipe, my swirl", "soup"),
        _say("One pot, two spoons", "soup", "spoon"),
        _say("The basil is from the balcony", "soup|pizza"),
        _say("Forty-eight hours of dough for ten minutes of eating", "pizza"),
        _say("The oven was hotter than the summer", "pizza"),
        _say("Too much cheese is a rumour", "pizza"),
        _say("Sunday has a shape", "pancakes"),
        _say("The first one always sticks, these are number two to five", "pancakes"),
        _say("Butter, syrup, no plans", "pancakes"),
        _say("Picked this morning, gone by noon", "berries", "morning"),
        _say("More berries than yoghurt", "berries"),
        _say("Stained fingers, happy", "berries"),
        _say("Sunshine by the slice", "citrus"),
        _say("The kitchen smells of oranges", "citrus"),
        _say("Somebody got a mandoline for a birthday", "citrus"),
        _say("Still warm", "biscuits"),
        _say("There were twelve a minute ago", "biscuits"),
        _say("Chocolate side up", "biscuits"),
        _say("Rolled them myself, cut them badly", "sushi"),
        _say("Fifteen pieces, one person", "sushi"),
        _say("The rice took three tries", "sushi"),
        _say("Breakfast counts as a hobby", "morning", "coffee|pancakes|berries|citrus"),
        _say("Dinner for one, table for two", "evening", "soup|pizza|sushi"),
        _say("Something sweet to end the day", "evening", "pancakes|berries|biscuits"),
        _say("Found this table in a barn", "wood"),
        _say("The good tablecloth", "linen"),
    ),
    "interiors": (
        _say("I could read here until the light goes", "armchair|sofa", "day|golden|mist|dawn"),
        _say("My corner", "armchair"),
        _say("The chair chose the place, not me", "armchair"),
        _say("Nobody is getting up today", "sofa"),
        _say("It took four friends to get the sofa in", "sofa"),
        _say("Sorted by colour, then by mood", "bookshelf"),
        _say("Half of them read, all of them loved", "bookshelf"),
        _say("The shelf is full, the pile begins", "bookshelf"),
        _say("Office with a view", "desk"),
        _say("The whole desk for one letter", "desk"),
        _say("Working from the window", "desk", "day|golden|dawn|mist"),
        _say("New leaf every week", "plant"),
        _say("The plant has outgrown three pots", "plant"),
        _say("Everyone asks about the plant", "plant"),
        _say("The cat keeps an eye on the street", "cat"),
        _say("She thinks it is her window", "cat"),
        _say("One lamp is enough", "lamp light"),
        _say("The lamp goes on, the world goes out", "lamp light"),
        _say("Flea market lamp, twelve euros", "lamp|lamp light"),
        _say("Moved in a year ago, finished today"),
        _say("The sun comes in at four and stays for an hour", "golden"),
        _say("Painted the wall three times to get this colour"),
    ),
    "silhouettes": (
        _say("Last round with the dog", "walker and dog", "sunset|dusk|golden"),
        _say("He pulls, I follow", "walker and dog"),
        _say("First walk of the day", "walker and dog|dog", "dawn"),
        _say("Thirty years and still out together", "couple"),
        _say("They did not know I was there", "couple|angler"),
        _say("Said yes a minute later", "couple"),
        _say("Enough wind at last", "kite"),
        _say("Run, then let go", "kite"),
        _say("He says they bite at this hour", "angler"),
        _say("Nothing caught, nothing missed", "angler"),
        _say("Waits like a statue", "angler|dog|photographer"),
        _say("Good dog", "dog"),
        _say("He heard a seagull", "dog", "beach"),
        _say("These people", "friends"),
        _say("We only meet like this once a year", "friends"),
        _say("Someone told a joke just before", "friends"),
        _say("Downhill from here", "cyclist"),
        _say("The long way home from work", "cyclist"),
        _say("Photographed the photographer", "photographer"),
        _say("An hour for one frame", "photographer"),
        _say("The harbour cat has better sunsets than I do", "cat"),
        _say("Low tide, wet feet", "beach"),
        _say("The end of the pier", "pier"),
        _say("Top of the hill, out of breath", "hill"),
    ),
    "street": (
        _say("It rained all the way home", "rain"),
        _say("Twice the lights for free", "rain", "dusk|night"),
        _say("Jumped every puddle but one", "rain"),
        _say("Everyone looks down, look down", "rain"),
        _say("Nobody forgot the umbrella today", "umbrella"),
        _say("That umbrella made the picture", "umbrella"),
        _say("No car in sight", "cyclist"),
        _say("The fastest way through town", "cyclist"),
        _say("Somebody going somewhere", "walker|umbrella"),
        _say("Waited ten minutes for one person to walk by", "walker|umbrella"),
        _say("The lights are up", "garlands"),
        _say("Walk under every single bulb", "garlands"),
        _say("My street before the shops open", "dawn"),
        _say("The bakery light is always the first", "dawn|mist"),
        _say("Could not see the end of the street", "mist"),
        _say("The awnings are out", "day|golden"),
        _say("The sun sits exactly at the end of the street", "golden|dawn"),
        _say("Shop windows at closing time", "dusk"),
        _say("Took the wrong turn and kept walking"),
        _say("Third floor on the left, that was us"),
    ),
}

MOMENTS: tuple[Sentence, ...] = (
    _say("Ten minutes later it was grey", "sunset|dusk|golden"),
    _say("The light did all the work", "golden|sunset|dawn"),
    _say("Golden hour, no filter", "golden"),
    _say("Warm light, long shadows", "golden"),
    _say("An hour before the sun went", "golden"),
    _say("Worth the early alarm", "dawn"),
    _say("Everyone else was still asleep", "dawn"),
    _say("Five in the morning and wide awake", "dawn"),
    _say("The day is brand new", "dawn"),
    _say("Not a day to stay inside", "day"),
    _say("Blue all the way up", "day"),
    _say("Lunch can wait", "day"),
    _say("Tuesday, around noon", "day"),
    _say("Could not see fifty metres", "mist"),
    _say("Grey is a colour too", "mist"),
    _say("Soft light all day", "mist"),
    _say("What a way to end a Thursday", "sunset"),
    _say("The whole sky joined in", "sunset"),
    _say("I stayed until it was over", "sunset"),
    _say("Blue hour", "dusk"),
    _say("Just before the street lamps", "dusk"),
    _say("Almost too dark to focus", "dusk"),
    _say("Long past bedtime", "night"),
    _say("The quiet part of the night", "night"),
    _say("Two in the morning", "night"),
)
MOMENTS_INSIDE: tuple[Sentence, ...] = (
    _say("Slow morning", "morning|dawn"),
    _say("The window light helps", "morning|day|golden"),
    _say("Before the emails", "morning|dawn"),
    _say("Sunday, nothing planned", "morning|day|golden"),
    _say("My favourite hour in here", "golden|dawn|dusk"),
    _say("No reason to go out today", "mist|day"),
    _say("Grey outside, warm inside", "mist"),
    _say("Blue hour outside", "dusk"),
    _say("After a long day", "evening|dusk|night"),
    _say("Phone off, music on", "evening|dusk|night"),
    _say("Late, but warm", "evening|night"),
    _say("Home", "dusk|night|golden"),
)
_INSIDE = ("food", "interiors")

TAGS: dict[str, tuple[str, ...]] = {
    "mountains": ("hiking", "alps", "summit", "outdoors", "trail", "peaks"),
    "sea": ("ocean", "waves", "coast", "horizon", "salt", "tide"),
    "city": ("skyline", "urban", "lights", "towers", "river"),
    "forest": ("trees", "woods", "quiet", "walk", "spruce"),
    "night": ("stars", "longexposure", "astro", "darksky"),
    "desert": ("dunes", "sand", "dry", "wind", "shadows"),
    "lake": ("reflection", "calm", "water", "mountains"),
    "sunset": ("sky", "evening", "clouds", "horizon"),
    "snow": ("winter", "cold", "frost", "ski", "white"),
    "flowers": ("garden", "macro", "bloom", "petals"),
    "food": ("homemade", "table", "fromabove", "yum"),
    "interiors": ("home", "room", "windowlight", "slowliving"),
    "silhouettes": ("backlight", "people", "shadow", "sky"),
    "street": ("streetphotography", "town", "walk", "perspective"),
    "animals": ("cat", "pets", "catsofthefeed", "whiskers"),
    "space": ("universe", "science", "lookup"),
    "people": ("portrait", "faces", "story"),
    "architecture": ("temple", "travel", "roof", "history", "culture"),
    "motorcycles": ("garage", "bike", "vintage", "twowheels"),
}


def write_captions(rng: np.random.Generator, topic: str, facts: Collection[str] = ()) -> tuple[str, ...]:
    """At most MOST_CAPTIONS captions that are true of a picture of `topic` with these facts, the best choice first.

    A topic without sentences (a user's folder) gives the folder's name.
    """
    subjects = [sentence.text for sentence in SUBJECTS.get(topic, ()) if sentence.fits(facts)]
    if not subjects:
        return (topic.replace("_", " ").replace("-", " ").capitalize(),)
    known = MOMENTS_INSIDE if topic in _INSIDE else MOMENTS
    moments = [sentence.text for sentence in known if sentence.fits(facts)]
    alone = [subjects[at] for at in rng.permutation(len(subjects))]
    pairs = list(product(subjects, moments))
    joined = [_join(*pairs[at]) for at in rng.permutation(len(pairs))]
    first, second = (alone, joined) if rng.random() < ALONE_SHARE else (joined, alone)
    return tuple((*first, *second)[:MOST_CAPTIONS])


def _join(subject: str, moment: str) -> str:
    return f"{subject} {moment}" if subject.endswith("?") else f"{subject}. {moment}"


def choose_tags(rng: np.random.Generator, topic: str, facts: Collection[str] = ()) -> tuple[str, ...]:
    """The topic itself, then one to three more tags: of the topic, or what the picture shows."""
    others = (*TAGS.get(topic, ()), *(_FACT_TAGS[fact] for fact in sorted(facts) if fact in _FACT_TAGS))
    chosen = rng.choice(others, size=min(len(others), int(rng.integers(1, 4))), replace=False) if others else ()
    return tuple(dict.fromkeys((topic, *(str(tag) for tag in chosen))))


_FACT_TAGS = {
    "golden": "goldenhour", "dusk": "bluehour", "dawn": "morning", "mist": "fog", "night": "night", "rain": "rain",
    "moon": "moon", "milky way": "milkyway", "aurora": "aurora", "autumn": "autumn", "sail": "sailing", "cat": "cat",
    "daisy": "daisy", "poppy": "poppy", "sunflower": "sunflower", "dahlia": "dahlia", "coffee": "coffee",
    "pizza": "pizza", "soup": "soup", "sushi": "sushi", "pancakes": "breakfast", "berries": "berries",
    "citrus": "fruit", "biscuits": "baking", "dog": "dog", "walker and dog": "dog", "cyclist": "cycling",
    "umbrella": "umbrella", "bookshelf": "books", "plant": "plants", "birds": "birds", "garlands": "lights",
    "snowfall": "snowing", "mirror": "mirror",
}  # fmt: skip
