"""The keys of a Compose file that are not honoured, each with the sentence that says so.

Refused: running without it would run something else than the file says. Warned: what runs is the same. A key that is
off (false, empty) is never mentioned. Keys that are honoured, or depend on their value, are in `service.py`.
"""

SERVICE_REFUSED = {
    "cap_add": "no node grants capabilities: remove it, or choose an image that needs none",
    "cgroup_parent": "the node decides the control group: remove it",
    "configs": "configs are not supported: put the file into the image, or make it a secret",
    "credential_spec": "credential specs exist on Windows only: remove it",
    "device_cgroup_rules": "no node hands over devices: remove it",
    "devices": "no node hands over devices: remove it (a GPU: deploy.resources.reservations.devices, or x-flux.gpu)",
    "extends": "extends is not followed: write the keys out, or share them with an anchor (&name, <<: *name)",
    "external_links": "containers outside this file can't be reached by name: add the service to this file",
    "extra_hosts": "names can't be added, and the host of a node is not reachable: use names that DNS knows",
    "group_add": "groups can't be added: set user: to uid:gid",
    "label_file": "label files are not read: write the labels under labels",
    "models": "models are not supported: remove it",
    "post_start": "commands after the start are not run: put them into the entrypoint",
    "pre_stop": "commands before the stop are not run: handle stop_signal in the program",
    "provider": "services of a provider plugin can't run on a node: use an image",
    "sysctls": "no node changes kernel settings for an app: remove it",
    "use_api_socket": "the container engine's socket would hand over the host, so no node offers it: remove it",
    "volumes_from": "mount the same named volume in both services instead",
}

SERVICE_WARNED = {
    "annotations": "annotations are not used",
    "attach": "attach is not used: read logs with `flux app logs`",
    "blkio_config": "limits of disk speed are not used",
    "cap_drop": "capabilities are not dropped one by one: every component runs with few",
    "cpu_count": "cpu_count is not used: write cpus",
    "cpu_percent": "cpu_percent is not used: write cpus",
    "cpu_period": "cpu_period is not used: write cpus",
    "cpu_quota": "cpu_quota is not used: write cpus",
    "cpu_rt_period": "real-time limits are not used",
    "cpu_rt_runtime": "real-time limits are not used",
    "cpu_shares": "cpu_shares is not used: write cpus",
    "cpuset": "cpuset is not used: the node decides which cores",
    "develop": "develop is for working on the source and is not used",
    "dns": "dns is not used: names are resolved by the node",
    "dns_opt": "dns_opt is not used: names are resolved by the node",
    "dns_search": "dns_search is not used: names are resolved by the node",
    "domainname": "domainname is not used",
    "logging": "logging is not used: logs are kept and rotated by the node; read them with `flux app logs`",
    "mac_address": "mac_address is not used",
    "mem_swappiness": "mem_swappiness is not used",
    "memswap_limit": "memswap_limit is not used: the memory limit holds without swap",
    "oom_kill_disable": "oom_kill_disable is not used: a component that needs more than its limit is ended",
    "oom_score_adj": "oom_score_adj is not used",
    "pids_limit": "pids_limit is not used: every component has the node's limit of processes",
    "pull_policy": "pull_policy is not used: images are pinned by digest, and pulled once",
    "pull_refresh_after": "pull_refresh_after is not used: images are pinned by digest",
    "stdin_open": "stdin_open is not used: no terminal is attached",
    "tty": "tty is not used: no terminal is attached",
    "ulimits": "ulimits is not used: every component has the node's limits",
}

PRIVATE_NAMESPACES = {
    "cgroup": ("private",),
    "ipc": ("private", "shareable", "none"),
    "isolation": ("default",),
    "pid": (),
    "runtime": ("runc",),
    "userns_mode": (),
    "uts": (),
}
"""Values that ask for no more than what every component gets."""

TOP_LEVEL = ("version", "name", "services", "networks", "volumes", "secrets", "configs", "include", "models")

TOP_LEVEL_REFUSED = {
    "include": "other files are not included: put everything into this file",
    "models": "models are not supported: remove it",
}

VOLUME_KEYS = ("name", "driver", "driver_opts", "external", "labels")
NETWORK_KEYS = (
    "name",
    "driver",
    "driver_opts",
    "ipam",
    "external",
    "internal",
    "enable_ipv4",
    "enable_ipv6",
    "attachable",
    "labels",
)
