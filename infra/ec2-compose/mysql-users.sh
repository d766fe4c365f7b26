#!/usr/bin/env bash
# Runs inside the MySQL container, first when the data folder is new, and then at every deploy, so that a changed password takes
# effect. Each process has its own user with the rights that it needs. Only migrate may change the schema, and nobody may read
# files, other schemas or other users.
set -euo pipefail
password() { cat "/run/secrets/$1-password"; }
MYSQL_PWD=$(password root) mysql --user=root --batch <<SQL
CREATE DATABASE IF NOT EXISTS commerce;
CREATE USER IF NOT EXISTS migrate, api, workers;
ALTER USER migrate IDENTIFIED BY '$(password migrate)';
ALTER USER api IDENTIFIED BY '$(password api)';
ALTER USER workers IDENTIFIED BY '$(password workers)';
GRANT CREATE, ALTER, DROP, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE ON commerce.* TO migrate;
GRANT SELECT, INSERT, UPDATE, DELETE ON commerce.* TO api, workers;
SQL
