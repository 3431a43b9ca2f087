"""The man pages: orchctl(1), one for each verb, orchctl-spec(5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchctl.cli.explain import EXIT_CODES
from orchctl.cli.manual.commands import Command, Entry, commands
from orchctl.cli.manual.places import CATALOGS, COMMON, FILES, SETTINGS, VARIABLES
from orchctl.cli.manual.troff import as_it_is, entries, escaped, heading, line, paragraph, subheading, title
from orchctl.core.capability import Claim, Feature
from orchctl.core.registry import BUILT_IN, load
from orchctl.spec.fields import features_of, leaves, reasons, support_words

_ABOUT = "one service spec, many orchestrators"
_FIRST = re.compile(r"^(\.S[HS] .*\n)\.PP\n", re.MULTILINE)  # a heading begins a paragraph itself: mandoc warns of two
_COMMANDS, _FORMATS = "orchctl commands", "orchctl file formats"


def pages() -> dict[str, str]:
    """Path under man/ -> troff text."""
    verbs = list(commands())
    found = {"man1/orchctl.1": _overview(verbs), "man5/orchctl-spec.5": _spec()}
    found |= {f"man1/orchctl-{verb.name}.1": _verb(verb) for verb in verbs}
    return {path: _FIRST.sub(r"\1", text) for path, text in found.items()}


def _overview(verbs: Sequence[Command]) -> str:
    return "".join(
        (
            title("orchctl", 1, _COMMANDS),
            _name("orchctl", _ABOUT),
            heading("SYNOPSIS"),
            _synopsis("orchctl VERB [SERVICE...] [OPTIONS]"),
            heading("DESCRIPTION"),
            paragraph(
                "orchctl reads a backend-neutral service spec and makes Kubernetes, a Docker Swarm, Marathon or plain "
                "local processes converge to it. There is no server and no agent to install."
            ),
            paragraph("Data goes to stdout; progress, warnings and errors go to stderr."),
            heading("VERBS"),
            entries((f"orchctl-{verb.name}(1)", f"{verb.summary}.") for verb in verbs),
            heading("CONFIGURATION"),
            paragraph(
                "A context is a named place to deploy to, a table `[contexts.NAME]` of a configuration file. Without a "
                "file there is the context local. The key `default` names the context in force. Keys of every context:"
            ),
            entries(COMMON.items()),
            *(subheading(f"Backend {name}") + entries(keys.items()) for name, keys in SETTINGS.items()),
            subheading("Catalogs"),
            paragraph("A catalog is a table `[catalogs.NAME]`; a context names the one that goes with it."),
            entries(CATALOGS.items()),
            heading("ENVIRONMENT"),
            entries(VARIABLES.items()),
            heading("FILES"),
            entries(FILES.items()),
            heading("EXIT STATUS"),
            entries((str(code), f"{text}.") for code, text in EXIT_CODES.items()),
            entries([("128+n", "ended by signal n: 130 for Ctrl-C, 143 for SIGTERM.")]),
            _see_also("orchctl-explain(1)", "orchctl-spec(5)"),
        )
    )


def _verb(verb: Command) -> str:
    parts = [title(f"orchctl-{verb.name}", 1, _COMMANDS), _name(f"orchctl-{verb.name}", verb.summary)]
    parts += [heading("SYNOPSIS"), *(_synopsis(one.usage) for one in verb.commands or (verb,)), heading("DESCRIPTION")]
    if verb.commands:
        parts += [paragraph(f"{verb.summary}.")]
        parts += [subheading(one.name) + _told(one) + _entries_of(one) for one in verb.commands]
    else:
        parts += [_told(verb)]
        parts += [heading("ARGUMENTS"), _terms(verb.arguments)] if verb.arguments else []
        parts += [heading("OPTIONS"), _terms(verb.options)]
    parts += [heading("EXIT STATUS"), paragraph("See `orchctl`(1), or run `orchctl explain exit-codes`.")]
    return "".join([*parts, _see_also("orchctl(1)", "orchctl-spec(5)")])


def _spec() -> str:
    backends = {name: load(name).capabilities() for name in sorted(BUILT_IN)}
    fields = [(path, _field(path, text, backends)) for path, text in leaves()]
    return "".join(
        (
            title("orchctl-spec", 5, _FORMATS),
            _name("orchctl-spec", "the fields of a service spec"),
            heading("DESCRIPTION"),
            paragraph(
                "A spec is one YAML or JSON document that describes one service, or several under `services`. "
                "`orchctl init` writes a commented one, `orchctl validate` checks it, `orchctl schema` prints its JSON "
                "Schema."
            ),
            paragraph(
                "In brackets stands what each backend makes of a field, once when all make the same. native: the backend does it. emulated: sent "
                "differently, with the same meaning. warned: approximated or not enforced; the plan says so. not yet and "
                "unsupported: refused before anything is sent. A field without brackets is orchctl's own and means the "
                "same everywhere."
            ),
            heading("FIELDS"),
            paragraph("`[]` is an entry of a list, `*` a key of your choice."),
            entries(fields),
            heading("WHAT IS NOT NATIVE"),
            *(subheading(f"On {name}") + entries(reasons(claims)) for name, claims in backends.items()),
            _see_also("orchctl(1)", "orchctl-validate(1)", "orchctl-init(1)"),
        )
    )


def _field(path: str, text: str, backends: Mapping[str, Mapping[Feature, Claim]]) -> str:
    """The sentence, and in brackets what each backend makes of it; a word that all share is said once."""
    features = features_of(path)
    if not features:
        return text
    words = {name: support_words(features, claims) for name, claims in backends.items()}
    if len({*words.values()}) == 1:
        return f"{text} [{next(iter(words.values()))}]"
    return f"{text} [{'; '.join(f'{name}: {told}' for name, told in words.items())}]"


def _name(name: str, about: str) -> str:
    return f"{heading('NAME')}{escaped(name)} \\- {line(about[:1].lower() + about[1:])}\n"


def _synopsis(usage: str) -> str:
    """The command in bold, the rest as it is."""
    words = usage.split(" ")
    count = next((n for n, word in enumerate(words) if not word.islower()), len(words))
    return f".PP\n\\fB{escaped(' '.join(words[:count]))}\\fR {line(' '.join(words[count:]))}\n"


def _told(command: Command) -> str:
    return "".join(paragraph(p[0]) if len(p) == 1 else as_it_is(p) for p in command.paragraphs)


def _entries_of(command: Command) -> str:
    return _terms((*command.arguments, *command.options))


def _terms(found: Sequence[Entry]) -> str:
    return entries((entry.term, entry.text) for entry in found)


def _see_also(*names: str) -> str:
    told = ", ".join(rf"\fB{escaped(name.partition('(')[0])}\fR({name.partition('(')[2]}" for name in names)
    return f"{heading('SEE ALSO')}{told}\n"
