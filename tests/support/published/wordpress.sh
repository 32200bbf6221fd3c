#!/bin/sh
# What the official image does: WordPress goes into the volume at the first start, with a configuration that reads the
# environment.
set -e
if [ ! -e wp-config.php ]; then
    cp -a /usr/share/wordpress/. .
    cp /usr/share/published/wp-config.php .
fi
exec "$@"
