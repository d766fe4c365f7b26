#!/bin/bash
# Does what the official image does: KAFKA_A_B becomes a.b of server.properties, and an empty folder is formatted.
set -e
env | grep '^KAFKA_' | grep -vE '^KAFKA_(HEAP_OPTS|OPTS|JVM_PERFORMANCE_OPTS|HOME)=' | while IFS='=' read -r name value; do
  name=${name#KAFKA_}; name=${name//___/-}; name=${name//_/.}; echo "${name,,}=$value"
done > /opt/kafka/config/server.properties
dir=$(sed -n 's/^log.dirs=//p' /opt/kafka/config/server.properties)
[ -e "$dir/meta.properties" ] || /opt/kafka/bin/kafka-storage.sh format --cluster-id "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}" --config /opt/kafka/config/server.properties
exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties
