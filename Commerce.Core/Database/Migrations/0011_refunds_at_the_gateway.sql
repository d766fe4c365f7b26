-- Refunds that were made at the gateway, not by us, are rows as well: status EXTERNAL, requested_by 'gateway'. The gateway's id of a cancel tells which
-- lines of its history are known.
ALTER TABLE refund
  ADD COLUMN history_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of the cancel at the gateway; null: not told, or done by an earlier version',
  ADD COLUMN rebased    INT NOT NULL DEFAULT 0 COMMENT 'how often it was asked for anew because money went back at the gateway meanwhile',
  ADD UNIQUE KEY refund_in_history (history_id);

-- How far the gateway's history of cancels was read. One row.
CREATE TABLE gateway_history (
  id           TINYINT     NOT NULL PRIMARY KEY,
  read_until   DATETIME(6) NOT NULL,
  next_read_at DATETIME(6) NOT NULL
);
INSERT INTO gateway_history (id, read_until, next_read_at)
SELECT 1, GREATEST(COALESCE(MIN(paid_at), UTC_TIMESTAMP(6)), UTC_TIMESTAMP(6) - INTERVAL 30 DAY), UTC_TIMESTAMP(6) FROM payment;
