"""The word lists of `context`: English whole, German and Spanish in their basics.

One merged table for the three languages: telling them apart on five words would err more often
than the few words that two of them share. All in lower case, apostrophes cut (`don't` is `don`).
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COURTESY = _words(
    "hi hiya hello hey greetings morning afternoon evening thanks thank thx cheers please pls plz"
    " sorry bye goodbye farewell welcome great perfect awesome cool nice lovely brilliant wonderful"
    " appreciate appreciated mate again later soon helped solved sorted"
    " hallo guten tag moin servus danke bitte tschüss wiedersehen entschuldigung super prima"
    " hola buenos buenas días dias tardes noches gracias favor adiós adios perdón perfecto"
)
"""Words that wish or thank and ask for nothing."""

WISHES = _words(
    "hi hiya hello hey yo greetings thanks thank thx cheers bye goodbye farewell appreciate"
    " appreciated perfect hallo moin servus danke tschüss wiedersehen hola gracias adiós adios"
)
WISHING = (
    "good morning", "good afternoon", "good evening", "good day", "good night", "see you",
    "see ya", "take care", "have a good", "how are you", "guten tag", "guten morgen",
    "guten abend", "buenos días", "buenos dias", "buenas tardes", "buenas noches",
)  # fmt: skip
"""Of these, the ones that make a line without any subject a courtesy and no question."""

CONFIRMATIONS = _words(
    "yes yeah yep yup sure ok okay k no nope nah exactly correct right true indeed absolutely"
    " definitely alright actually well oh ah hm hmm"
    " ja nein nö genau richtig stimmt klar doch sí si claro vale correcto exacto"
)

WHAT_ABOUT = (
    ("what", "about"),
    ("how", "about"),
    ("was", "ist", "mit"),
    ("qué", "hay", "de"),
    ("qué", "pasa", "con"),
)
LINKS = _words("and but or so then also plus und oder aber also dann y e o pero entonces")
CONTRASTS = _words("but aber pero though")
TRAILING = _words("then too either instead maybe auch dann también tambien entonces tampoco")
PREPOSITIONS = _words(
    "for with without on in at per by from as via during after before until since"
    " für fuer mit ohne im am pro bei auf ab seit nach vor als"
    " para con sin por en desde hasta como"
)
DETERMINERS = _words(
    "the a an my our your his her their any some all every each no"
    " der die das den dem des ein eine einen einem einer mein meine meinen meinem meiner"
    " unser unsere unseren ihr ihre ihren kein keine keinen"
    " el la los las un una unos unas mi mis nuestro nuestra nuestros su sus tu tus"
)

ANAPHORS = _words(
    "it its they them theirs he she him both neither latter former es ihn ihm ihnen er beide"
    " ello ellos ellas lo ambos"
)
"""Words that stand for something said before."""

PICKS = _words(
    "one ones other others another same first second third last andere anderen anderes"
    " otro otra otros otras segundo segunda primero primera"
)
"""As ANAPHORS, unless a noun follows: `the other` points back, `another card` names a card."""

DEMONSTRATIVES = _words("this that these those das dies diese dieser dieses eso esto ese esa este")
"""As PICKS, and not where they open a clause (`I think that my ...`)."""

EXPLETIVES = _words(
    "possible impossible allowed ok okay safe necessary normal take takes took seem seems look"
    " looks hard difficult easy cost costs true möglich erlaubt"
)
"""`it` before one of these, with `to`, `that` or a like word after it, stands for nothing."""
EXPLETIVE_ENDS = _words("to that if like when until before zu dass ob que")

SUBJECTS = _words("i we you he she they it me us ich wir sie du er man yo nosotros usted tú")
AUXILIARIES = _words(
    "is are was were be been am can could do does did will would shall should may might must have"
    " has had don doesn didn isn aren wasn won couldn wouldn shouldn hasn haven cannot cant dont"
    " doesnt didnt isnt wont ist sind war bin kann können könnte muss darf wird werden hat habe"
    " haben gilt será es son está están puede puedo pueden tengo tiene hay quiero"
)
QUESTION_WORDS = _words(
    "what how why when where who whose whats hows was wie warum wieso weshalb wann wo wer welche"
    " qué que cómo como cuándo cuando dónde donde quién quien cuánto cuanto"
)
CLAUSE_WORDS = SUBJECTS | AUXILIARIES | QUESTION_WORDS
"""One of them makes more of a message than a fragment."""
BEFORE_NOUNS = DETERMINERS | PREPOSITIONS | DEMONSTRATIVES
WHICH = _words("which welche welcher welches cuál cual cuáles")

OTHER_FUNCTION_WORDS = _words(
    "of to about into out up down off over if because while than not never too very just only even"
    " there here myself yourself mine yours ours such more most less least much many few lot lots"
    " none nothing anything something everything someone somebody anyone everyone else rest now yet"
    " already still ever always once well let lets than like far away back around via per how's"
    " let's i'm come zu zum zur von vom aus über unter um nicht nie noch schon nur sehr mehr"
    " weniger immer jetzt hier dort da dass wenn weil ob mir mich dir dich uns euch ihnen sich"
    " etwas nichts alles viel lange de del al no ya muy más menos me te se nos si porque"
    " cuando todo nada algo aquí ahí allí siempre nunca todavía aún"
)

TIMES = _words(
    "today tomorrow yesterday tonight day days daily week weeks weekly month months monthly quarter"
    " quarterly year years yearly annual annually hour hours minute minutes morning evening"
    " weekend heute gestern tag tage woche monat monate monatlich jahr jahre jährlich jaehrlich"
    " stunde stunden día días semana mes meses mensual mensuales año años anual anuales hora horas"
    " hoy mañana"
)

WEAK = TIMES | _words(
    # verbs that fit any subject
    "work works working worked go goes going went gone get gets getting got gotten make makes made"
    " do doing done happen happens happened mean means meant need needs needed want wants wanted"
    " help helps try tries tried trying see sees saw seen know knows knew show tell say says said"
    " explain understand think thought find found look looks looking click clicked clicking press"
    " use uses used using come comes came give gives gave put take takes took keep keeps kept cost"
    " costs include includes included including apply applies exist exists wait waited waiting"
    " arrive arrives arrived start stop repeat continue seem seems sound sounds like choose pick"
    # nouns that fit any subject
    " thing things stuff problem problems issue issues error errors way ways option options step"
    " steps part page link links button screen list case cases answer question example examples"
    " detail details difference luck idea reason kind sort place time times moment number info"
    # qualities, comparisons, quantities, times
    " good bad fine wrong broken different similar possible impossible available better best worse"
    " worst cheap cheaper cheapest expensive fast faster fastest slow slower slowest big bigger"
    " biggest small smaller smallest large larger largest long longer longest short shorter high"
    " higher highest low lower lowest new newer newest old older oldest early earlier easy easier"
    " easiest hard simple simpler simplest quick quicker extra real really exactly maybe perhaps"
    " probably instead half two three four five six seven eight nine ten twelve dozen hundred"
    " nothing useful empty enough sure okay"
    # German
    " geht gehen ging geklappt klappt klappen funktioniert funktionieren mache machen macht gemacht"
    " finde finden heißt heisst bedeutet passiert brauche will möchte sehe sehen verstehe weiß"
    " problem fehler seite knopf schritt sache dinge weg gut schlecht falsch besser schneller"
    " günstiger billiger teurer größer kleiner genauer kostet"
    # Spanish
    " sigue funciona funcionan funcionar funcionó hacer hago hace pasa pasó significa necesito"
    " entiendo veo ver sé saber encuentro sirve cuesta problema error página botón paso cosa forma"
    " manera bien mal mejor peor rápido barato barata caro grande pequeño igual mismo misma planes"
)
"""Words with a meaning, too general to say what a message is about."""

PERSONS = _words(
    "human humans agent agents person representative rep supervisor operator staff"
    " mensch menschen mitarbeiter mitarbeiterin persona humano humana agente"
)
SOMEONES = _words("someone somebody anyone anybody people jemand jemanden jemandem alguien")
SPEAKING = _words("talk talking speak speaking chat sprechen reden hablar")
TALKING = SPEAKING | _words(
    "contact connect transfer call reach put give get need want hand through möchte quiero"
)

OFFERS = _words("help helped helpful anything else assist helfen geholfen ayudar ayudo ayuda")
"""Words of a question that opens a subject instead of asking for a piece of one."""

FUNCTION_WORDS = (
    LINKS
    | TRAILING
    | PREPOSITIONS
    | DETERMINERS
    | ANAPHORS
    | PICKS
    | DEMONSTRATIVES
    | SUBJECTS
    | AUXILIARIES
    | QUESTION_WORDS
    | WHICH
    | OTHER_FUNCTION_WORDS
)
