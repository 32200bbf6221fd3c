#!/bin/sh
# What the official images do: options alone mean the server; the first start makes the database and its user.
set -e
case "$1" in -*) set -- mariadbd "$@" ;; esac
if [ ! -d /var/lib/mysql/mysql ]; then
    mariadb-install-db --auth-root-authentication-method=normal --skip-test-db >/dev/null
fi
database=${MARIADB_DATABASE:-$MYSQL_DATABASE}
user=${MARIADB_USER:-$MYSQL_USER}
# In a file, because arguments can be read in the process list.
umask 077
cat >/tmp/first.sql <<SQL
CREATE DATABASE IF NOT EXISTS \`$database\`;
CREATE USER IF NOT EXISTS \`$user\`@'%' IDENTIFIED BY '${MARIADB_PASSWORD:-$MYSQL_PASSWORD}';
GRANT ALL ON \`$database\`.* TO \`$user\`@'%';
SQL
exec "$@" --init-file=/tmp/first.sql
