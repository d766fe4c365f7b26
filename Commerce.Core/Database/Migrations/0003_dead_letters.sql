-- What lies in the dead-letter topics, for people to look at and to replay.
CREATE TABLE dead_letter (
  id           BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  topic        VARCHAR(200) NOT NULL COMMENT 'where the message could not be handled',
  `partition`  INT          NOT NULL,
  `offset`     BIGINT       NOT NULL,
  message_key  VARBINARY(512)   NULL,
  message      MEDIUMBLOB       NULL,
  reason       VARCHAR(64)  NOT NULL,
  detail       VARCHAR(1000) NOT NULL,
  failed_at    DATETIME(6)  NOT NULL,
  replayed_at  DATETIME(6)      NULL,
  UNIQUE KEY dead_letter_once (topic, `partition`, `offset`, failed_at)
);
