-- Paid orders that do not leave the stock: how often each was announced again, and whether its message is dead. A dead one is announced by nobody but
-- an administrator. The row goes when the order has left the stock or was refunded.
CREATE TABLE order_announcement (
  order_id VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  repeats  INT         NOT NULL DEFAULT 0,
  next_at  DATETIME(6) NULL COMMENT 'not announced again before this',
  dead_at  DATETIME(6) NULL COMMENT 'since when its ORDER_PLACED is a dead letter',
  KEY order_announcement_dead (dead_at)
);
