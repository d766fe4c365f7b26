-- What is to be paid for an order, and whether it was.
CREATE TABLE payment (
  id              VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'UUID version 7',
  order_id        VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount          BIGINT      NOT NULL COMMENT 'whole KRW',
  refunded_amount BIGINT      NOT NULL DEFAULT 0 COMMENT 'whole KRW, given back at the gateway',
  status          VARCHAR(20) NOT NULL COMMENT 'PENDING, APPROVING (a call is running), SETTLING (its outcome is unknown), CANCELLING (captured wrongly), PAID, PARTIALLY_REFUNDED, REFUNDED',
  pg_payment_id   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of the running or the successful attempt',
  attempt         INT         NOT NULL DEFAULT 0 COMMENT 'the number of the last attempt',
  created_at      DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  paid_at         DATETIME(6) NULL,
  CONSTRAINT payment_amount CHECK (amount > 0),
  CONSTRAINT payment_refunded CHECK (refunded_amount BETWEEN 0 AND amount),
  UNIQUE KEY payment_of_order (order_id),
  KEY payment_by_user (user_id, id),
  KEY payment_by_status (status, id)
);

CREATE TABLE payment_attempt (
  payment_id    VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number        INT         NOT NULL,
  pg_payment_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status        VARCHAR(16) NOT NULL COMMENT 'INFLIGHT, SUCCEEDED, REFUSED, CANCELLING (captured, and must go back), CANCELLED, ABANDONED (not seen at the gateway in time)',
  code          VARCHAR(64) NULL COMMENT 'what the gateway said, or what is wrong with the capture',
  message       VARCHAR(500) NULL,
  started_at    DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  ended_at      DATETIME(6) NULL,
  check_at      DATETIME(6) NULL COMMENT 'when the reconciler asks the gateway (again); of an abandoned one, whether it was captured late',
  checks        INT         NOT NULL DEFAULT 0,
  PRIMARY KEY (payment_id, number),
  KEY payment_attempt_to_check (check_at)
);

-- A payment at the gateway pays for one order. Whoever claims it first has it.
CREATE TABLE pg_payment (
  pg_payment_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  payment_id    VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
);

CREATE TABLE refund (
  id            VARCHAR(36)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'UUID version 7; the idempotency key at the gateway',
  payment_id    VARCHAR(36)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request       BINARY(32)   NULL COMMENT 'scope of the idempotent request: a repetition finds its refund',
  amount        BIGINT       NOT NULL COMMENT 'whole KRW',
  expected_rest BIGINT       NOT NULL COMMENT 'what is left of the payment after it',
  reason        VARCHAR(200) NOT NULL,
  requested_by  VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status        VARCHAR(16)  NOT NULL COMMENT 'REQUESTED, DONE, REFUSED',
  code          VARCHAR(64)  NULL COMMENT 'why the gateway refused it',
  check_at      DATETIME(6)  NULL COMMENT 'when the reconciler asks (again)',
  checks        INT          NOT NULL DEFAULT 0,
  created_at    DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  ended_at      DATETIME(6)  NULL,
  open_payment  VARCHAR(36)  CHARACTER SET ascii COLLATE ascii_bin
                GENERATED ALWAYS AS (IF(status = 'REQUESTED', payment_id, NULL)) STORED COMMENT 'one refund of a payment at a time',
  UNIQUE KEY refund_open (open_payment),
  UNIQUE KEY refund_of_request (request),
  KEY refund_of_payment (payment_id, id),
  KEY refund_to_check (check_at)
);

-- Answers that are given again to whoever comes with the same key.
CREATE TABLE idempotency_key (
  scope        BINARY(32)   NOT NULL PRIMARY KEY COMMENT 'SHA-256 of user, path and key',
  body_hash    BINARY(32)   NOT NULL COMMENT 'SHA-256',
  status       INT          NULL COMMENT 'of the answer; null while the request is being worked on',
  content_type VARCHAR(64)  CHARACTER SET ascii NULL,
  location     VARCHAR(300) CHARACTER SET ascii NULL,
  answer       MEDIUMBLOB   NULL,
  claim        VARCHAR(36)  CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of who works on it',
  lease_until  DATETIME(6)  NULL COMMENT 'after it somebody else may',
  created_at   DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  KEY idempotency_key_by_age (created_at)
);
