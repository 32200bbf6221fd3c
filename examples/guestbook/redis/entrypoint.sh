#!/bin/sh
# Redis refuses other hosts unless it has a password: the password of the environment, or protection off without one.
set -e
if [ "$1" = redis-server ]; then
    if [ -n "$REDIS_PASSWORD" ]; then
        # In a file, because arguments can be read in the process list.
        printf 'requirepass %s\n' "$REDIS_PASSWORD" > /tmp/password.conf
        shift
        exec redis-server /tmp/password.conf "$@"
    fi
    set -- "$@" --protected-mode no
fi
exec "$@"
