-- What administrators did. The row commits with the change.
CREATE TABLE IF NOT EXISTS admin_action (
  id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  actor      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  action     VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The operationId of the request.',
  subject    VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'KIND/ID, as in the path of the request.',
  reason     VARCHAR(200) NULL,
  created_at DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  KEY admin_action_by_actor (actor, id),
  KEY admin_action_by_subject (subject, id)
);

-- What happened to an order after its payment, and its cancel by an administrator. Rows are only added.
CREATE TABLE IF NOT EXISTS order_step (
  id              BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  order_id        VARCHAR(36)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state           VARCHAR(16)  NOT NULL COMMENT 'PREPARING, SHIPPED, DELIVERED, CANCELLED',
  tracking_number VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NULL,
  actor           VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason          VARCHAR(200) NULL,
  created_at      DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  KEY order_step_of_order (order_id, id)
);

-- The previous version ignores both columns.
ALTER TABLE orders
  ADD COLUMN fulfilment      VARCHAR(16) NULL COMMENT 'Null: not begun. PREPARING, SHIPPED, DELIVERED.',
  ADD COLUMN tracking_number VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ALGORITHM=INSTANT;
