CREATE TABLE event (
  id          BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name        VARCHAR(200) NOT NULL,
  opens_at    DATETIME(6)  NULL COMMENT 'null: a draft without a time',
  closes_at   DATETIME(6)  NULL COMMENT 'null: stays open',
  status      VARCHAR(16)  NOT NULL COMMENT 'DRAFT, PENDING, OPEN, CLOSED, CANCELLED',
  version     INT          NOT NULL DEFAULT 1 COMMENT 'raised by every change; the schedule in Redis follows the highest',
  opened_at   DATETIME(6)  NULL,
  opened_by   VARCHAR(16)  NULL COMMENT 'LISTENER, POLL, RECOVERY, FORCED',
  opening_seq BIGINT       NULL COMMENT 'the how manieth opening it was, in the order of the commits and without a gap: the id in the live stream',
  closed_at   DATETIME(6)  NULL,
  created_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  UNIQUE KEY event_by_opening (opening_seq),
  KEY event_due (status, opens_at)
);

-- A coupon belongs to one event at most: while it does, the event's state decides whether it can be had.
CREATE TABLE event_coupon (
  coupon_id BIGINT NOT NULL PRIMARY KEY,
  event_id  BIGINT NOT NULL,
  KEY event_coupon_by_event (event_id, coupon_id)
);

CREATE TABLE event_product (
  event_id   BIGINT NOT NULL,
  product_id BIGINT NOT NULL,
  PRIMARY KEY (event_id, product_id)
);

-- One row, raised by each opening in its transaction: the lock on it makes the order of the numbers that of the commits.
CREATE TABLE event_opening (
  last BIGINT NOT NULL
);
INSERT INTO event_opening (last) VALUES (0);
