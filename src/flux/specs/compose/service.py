"""Reads one service of a Compose file into a draft: a reader for each key that is honoured or depends on its value."""

import re
import signal
from collections.abc import Callable, Mapping

from flux.specs.compose import ports, process, resources, sandbox, secrets, storage
from flux.specs.compose.draft import Draft, DraftDependency
from flux.specs.compose.keys import PRIVATE_NAMESPACES, SERVICE_REFUSED, SERVICE_WARNED
from flux.specs.compose.process import Sources
from flux.specs.field import Field
from flux.specs.image_reference import ImageReferenceError, parse_image_reference
from flux.specs.names import has_control_character, is_label, suggest_label, unknown_key_sentence
from flux.specs.quantities import parse_duration_ms

CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
MAX_GRACE_SECONDS = 600
MAX_LABELS = 64
MAX_LABEL_LENGTH = 128
MAX_LABEL_VALUE_LENGTH = 1024

_NUMBERS = {str(number.value): number.name for number in signal.Signals}
_SIGNAL = re.compile(r"(?:SIG)?([A-Z][A-Z0-9]{1,9}(?:[+-][0-9]{1,2})?)", re.ASCII)
_HOSTNAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?", re.ASCII)
_USER = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31}(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31})?", re.ASCII)


def read_service(field: Field, sources: Sources) -> Draft:
    """The service as it asks to be run; what can't be honoured is in the findings."""
    draft = Draft(field.name, field)
    if not is_label(field.name):
        field.refuse(
            f"a service name is 1–63 of a–z, 0–9 and inner hyphens: rename it, for example to "
            f"{suggest_label(field.name) or 'app'}, also where other services use it as a host name"
        )
    if not field.is_mapping:
        field.refuse("expected a service (image: …), found nothing of it")
        return draft
    for key in field.fields():
        _read_key(key, draft, sources)
    if not draft.image and field.is_mapping and not any(key.name in ("image", "build") for key in field.fields()):
        field.refuse("the image is missing: add image: name:tag")
    return draft


def _read_key(key: Field, draft: Draft, sources: Sources) -> None:
    name = key.name
    if name in SERVICE_REFUSED:
        if not key.is_off:
            key.refuse(SERVICE_REFUSED[name])
    elif name in SERVICE_WARNED:
        if not key.is_off:
            key.warn(SERVICE_WARNED[name])
    elif name in PRIVATE_NAMESPACES:
        if not key.is_off:
            sandbox.read_namespace(key, draft)
    elif name in PROCESS_READERS:
        PROCESS_READERS[name](key, draft, sources)
    elif name in READERS:
        READERS[name](key, draft)
    else:
        key.refuse(unknown_key_sentence(name, KNOWN))


def _read_image(field: Field, draft: Draft) -> None:
    text = field.text(what="an image such as nginx:1.27")
    if text is None:
        return
    try:
        draft.image = str(parse_image_reference(text))
    except ImageReferenceError as error:
        field.refuse(str(error))
        return
    field.honour("pinned to its digest when deployed, so that all instances run the same bytes")


def _read_build(field: Field, draft: Draft) -> None:
    siblings = draft.place.fields()
    if any(sibling.name == "image" for sibling in siblings):
        field.warn("nothing is built: the image is taken from its registry, so push it first")
    else:
        field.refuse("nothing is built on a node: build and push the image, and name it with image:")


def _read_depends_on(field: Field, draft: Draft) -> None:
    if not field.is_mapping:
        for item in field.items():
            text = item.text(what="the name of a service")
            if text is not None:
                draft.dependencies.append(DraftDependency(text, "started", True, item))
    for entry in field.fields() if field.is_mapping else ():
        known = entry.known_fields(("condition", "restart", "required"))
        condition = known["condition"].choice(tuple(CONDITIONS)) if "condition" in known else "service_started"
        required = known["required"].boolean() is not False if "required" in known else True
        if "restart" in known and known["restart"].boolean():
            known["restart"].warn("restart is not used: a component is not restarted because another one was")
        draft.dependencies.append(
            DraftDependency(entry.name, CONDITIONS[condition or "service_started"], required, entry)
        )
    field.honour("the order in which components start")


def _read_labels(field: Field, draft: Draft) -> None:
    for key, value in label_pairs(field):
        if not key or key.startswith("flux."):
            field.refuse(f"the label {key[:60]!r} belongs to the node: labels may not be empty or begin with flux.")
        elif len(key) > MAX_LABEL_LENGTH or len(value) > MAX_LABEL_VALUE_LENGTH or has_control_character(key):
            field.refuse(
                f"the label {key[:60]!r} is too long, or has control characters: at most {MAX_LABEL_LENGTH} for its "
                f"key and {MAX_LABEL_VALUE_LENGTH} for its value"
            )
        else:
            draft.labels[key] = value
    if len(draft.labels) > MAX_LABELS:
        field.refuse(f"a component has at most {MAX_LABELS} labels, found {len(draft.labels)}")
    if draft.labels:
        field.honour("set on the container; labels are readable by everybody on chain")


def label_pairs(field: Field) -> list[tuple[str, str]]:
    """Labels written as a list of key=value or as a mapping."""
    if field.is_sequence:
        texts = (item.text() for item in field.items())
        split = (text.partition("=") for text in texts if text is not None)
        return [(key, value) for key, _, value in split]
    return [(entry.name, "" if entry.is_null else entry.text() or "") for entry in field.fields_of_any_name()]


def _read_user(field: Field, draft: Draft) -> None:
    draft.user = _matching(field, _USER, "a user such as 1000 or 1000:1000")


def _read_hostname(field: Field, draft: Draft) -> None:
    draft.hostname = _matching(field, _HOSTNAME, "a host name such as mail")


def _read_working_dir(field: Field, draft: Draft) -> None:
    text = field.text(what="a path")
    if text is None:
        return
    path = storage.plain_path(text)
    if path is None:
        field.refuse(f"expected an absolute path of at most {storage.MAX_PATH} characters")
        return
    draft.working_dir = path
    field.honour("the folder in which the component starts")


def _read_stop_signal(field: Field, draft: Draft) -> None:
    text = field.text(what="a signal such as SIGTERM")
    if text is None:
        return
    match = _SIGNAL.fullmatch(text.upper())
    if match is not None:
        draft.stop_signal = f"SIG{match[1]}"
    elif text in _NUMBERS:
        draft.stop_signal = _NUMBERS[text]
    else:
        field.refuse(f"{text[:30]!r} is not a signal: write for example SIGTERM")
        return
    field.honour(f"stopped with {draft.stop_signal}")


def _read_stop_grace_period(field: Field, draft: Draft) -> None:
    milliseconds = field.quantity(parse_duration_ms, what="a duration such as 30s")
    if milliseconds is None:
        return
    seconds = -(-milliseconds // 1000)
    if seconds > MAX_GRACE_SECONDS:
        field.warn(f"a node waits at most {MAX_GRACE_SECONDS} seconds for a component to stop")
    draft.stop_grace_seconds = min(seconds, MAX_GRACE_SECONDS)
    field.honour(f"stopped by force after {draft.stop_grace_seconds} s")


def _read_init(field: Field, draft: Draft) -> None:
    draft.init = bool(field.boolean())
    field.honour("an init process collects ended children" if draft.init else "no init process")


def _read_read_only(field: Field, draft: Draft) -> None:
    draft.read_only = bool(field.boolean())
    field.honour("the image can't be written to" if draft.read_only else "the image can be written to")


def _read_profiles(field: Field, draft: Draft) -> None:
    draft.profiles = field.texts()


def _read_shm_size(field: Field, draft: Draft) -> None:
    draft.shm_mib = resources.size(field) or 0
    field.honour(f"{draft.shm_mib} MiB of shared memory")


def _read_cpus(field: Field, draft: Draft) -> None:
    draft.cpu_limit = resources.cpu(field) or draft.cpu_limit


def _read_mem_limit(field: Field, draft: Draft) -> None:
    draft.memory_limit = resources.memory(field) or draft.memory_limit


def _read_mem_reservation(field: Field, draft: Draft) -> None:
    draft.memory_reservation = resources.memory(field) or draft.memory_reservation


def _read_storage_opt(field: Field, draft: Draft) -> None:
    known = field.known_fields(("size",))
    if "size" in known:
        _read_disk(known["size"], draft)


def _read_disk(field: Field, draft: Draft) -> None:
    draft.disk_mib = resources.size(field)
    field.honour(f"{draft.disk_mib or 0} MiB of disk beside the volumes")


def _matching(field: Field, pattern: re.Pattern[str], what: str) -> str:
    text = field.text(what=what)
    if text is None or text == "":
        return ""
    if pattern.fullmatch(text) is None:
        field.refuse(f"{text[:60]!r} is not {what}")
        return ""
    field.honour(f"{field.name}: {text}")
    return text


PROCESS_READERS: Mapping[str, Callable[[Field, Draft, Sources], None]] = {
    "command": process.read_command,
    "entrypoint": process.read_entrypoint,
    "environment": process.read_environment,
    "env_file": process.read_env_file,
    "healthcheck": process.read_healthcheck,
}

READERS: Mapping[str, Callable[[Field, Draft], None]] = {
    "build": _read_build,
    "container_name": sandbox.read_container_name,
    "cpus": _read_cpus,
    "depends_on": _read_depends_on,
    "deploy": resources.read_deploy,
    "expose": ports.read_expose,
    "gpus": sandbox.read_gpus,
    "hostname": _read_hostname,
    "image": _read_image,
    "init": _read_init,
    "labels": _read_labels,
    "links": sandbox.read_links,
    "mem_limit": _read_mem_limit,
    "mem_reservation": _read_mem_reservation,
    "network_mode": sandbox.read_network_mode,
    "networks": sandbox.read_networks,
    "platform": sandbox.read_platform,
    "ports": ports.read_ports,
    "privileged": sandbox.read_privileged,
    "profiles": _read_profiles,
    "read_only": _read_read_only,
    "restart": resources.read_restart,
    "scale": resources.read_replicas,
    "secrets": secrets.read_secrets,
    "security_opt": sandbox.read_security_opt,
    "shm_size": _read_shm_size,
    "stop_grace_period": _read_stop_grace_period,
    "stop_signal": _read_stop_signal,
    "storage_opt": _read_storage_opt,
    "tmpfs": storage.read_tmpfs,
    "user": _read_user,
    "volumes": storage.read_volumes,
    "working_dir": _read_working_dir,
    "x-flux-disk": _read_disk,
}

KNOWN = (*SERVICE_REFUSED, *SERVICE_WARNED, *PRIVATE_NAMESPACES, *PROCESS_READERS, *READERS)
