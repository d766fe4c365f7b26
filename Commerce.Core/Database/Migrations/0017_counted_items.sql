-- The lines of orders for products that limit a customer: an index of order_item for these products alone, because an index for all of them would cost
-- every order. Whether a line still counts is the order's status. Rows are never changed.
CREATE TABLE IF NOT EXISTS counted_item (
  product_id       BIGINT      NOT NULL,
  user_id          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id         VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  quantity         INT         NOT NULL,
  max_per_customer INT         NULL COMMENT 'The limit that the order was accepted under. Null: none.',
  PRIMARY KEY (product_id, user_id, order_id)
);

-- A row per customer. Orders of one customer lock it one after the other where Orders:MaxUnpaidOrders is set.
CREATE TABLE IF NOT EXISTS order_queue (
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY
);
