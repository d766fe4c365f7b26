-- Messages that tell of a change, written in the transaction of the change. The relay brings them to Kafka.
CREATE TABLE outbox (
  id              BIGINT        NOT NULL AUTO_INCREMENT PRIMARY KEY,
  shard           TINYINT       NOT NULL COMMENT 'of the key: one relay at a time sends a shard, so the order of a key is kept',
  topic           VARCHAR(100)  NOT NULL,
  message_key     VARCHAR(100)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_id      VARCHAR(100)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the same for every copy: consumers remember it in inbox',
  payload         BLOB          NOT NULL COMMENT 'JSON',
  traceparent     VARCHAR(55)   CHARACTER SET ascii NULL,
  status          ENUM('PENDING', 'SENT', 'DEAD') NOT NULL DEFAULT 'PENDING',
  attempts        INT           NOT NULL DEFAULT 0 COMMENT 'refusals of the message itself; that the brokers were away does not count',
  next_attempt_at DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  last_error      VARCHAR(500)  NULL,
  created_at      DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  sent_at         DATETIME(6)   NULL,
  KEY outbox_due (status, shard, attempts, id),
  KEY outbox_by_key (message_key, id)
);

-- Who may send a shard at this moment. The token is of one claim: a relay that comes back too late marks nothing.
CREATE TABLE outbox_shard (
  shard       TINYINT     NOT NULL PRIMARY KEY,
  token       VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL,
  lease_until DATETIME(6) NOT NULL DEFAULT '2000-01-01'
);
INSERT INTO outbox_shard (shard) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15);

-- Which messages a consumer has handled, written in the transaction of their effect.
CREATE TABLE inbox (
  consumer   VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_id VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  handled_at DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  PRIMARY KEY (consumer, message_id),
  KEY inbox_by_age (handled_at)
);
