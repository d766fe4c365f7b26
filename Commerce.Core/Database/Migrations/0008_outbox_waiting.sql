-- What is to be sent has a table of its own, so that outbox is written once and never changed. A relay deletes the row of a message that the
-- brokers have: a third of the work of changing a status that an index begins with.
CREATE TABLE outbox_waiting (
  shard TINYINT NOT NULL,
  id    BIGINT  NOT NULL,
  PRIMARY KEY (shard, id)
);

-- Messages that the brokers refused for a reason of their own, so that a relay never steps over them on its way.
CREATE TABLE outbox_refused (
  id              BIGINT       NOT NULL PRIMARY KEY,
  shard           TINYINT      NOT NULL,
  attempts        INT          NOT NULL COMMENT 'refusals of the message itself; that the brokers were away does not count',
  next_attempt_at DATETIME(6)  NULL COMMENT 'NULL: dead',
  last_error      VARCHAR(500) NOT NULL,
  KEY outbox_refused_by_shard (shard, next_attempt_at)
);

INSERT INTO outbox_waiting (shard, id) SELECT shard, id FROM outbox WHERE status = 'PENDING' AND attempts = 0;
INSERT INTO outbox_refused (id, shard, attempts, next_attempt_at, last_error)
SELECT id, shard, attempts, IF(status = 'DEAD', NULL, next_attempt_at), COALESCE(last_error, '') FROM outbox
WHERE status = 'DEAD' OR (status = 'PENDING' AND attempts > 0);

ALTER TABLE outbox
  DROP KEY outbox_due, DROP COLUMN status, DROP COLUMN attempts, DROP COLUMN next_attempt_at, DROP COLUMN last_error, DROP COLUMN sent_at;
