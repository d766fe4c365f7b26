-- One row. Raised when the gate of the inventory in Redis is rebuilt; transactions that rely on the gate's answer lock the row FOR SHARE, so
-- that a rebuild sees all of them or they are refused.
CREATE TABLE inventory_gate (
  id          TINYINT     NOT NULL PRIMARY KEY,
  epoch       INT         NOT NULL,
  lease_until DATETIME(6) NULL COMMENT 'until then the claimer of the epoch is opening the gate'
);
INSERT INTO inventory_gate (id, epoch) VALUES (1, 0);

CREATE TABLE orders (
  id              VARCHAR(36)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'UUID version 7',
  user_id         VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status          VARCHAR(16)  NOT NULL COMMENT 'CREATED, PENDING_PAYMENT, PAID, CANCELLED, EXPIRED, REFUNDING (paid, but there is no stock), REFUNDED',
  total_amount    BIGINT       NOT NULL COMMENT 'whole KRW, what is to be paid',
  discount        BIGINT       NOT NULL DEFAULT 0 COMMENT 'whole KRW, of the coupon, taken off already',
  coupon_id       BIGINT       NULL,
  holding         BOOLEAN      NOT NULL DEFAULT TRUE COMMENT 'its pieces are held in the gate and not yet taken off the stock',
  pinned          BOOLEAN      NOT NULL DEFAULT FALSE COMMENT 'a payment is being approved: the hold does not lapse',
  extended        BOOLEAN      NOT NULL DEFAULT FALSE COMMENT 'the hold was extended; that happens once',
  hold_expires_at DATETIME(6)  NOT NULL,
  created_at      DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  paid_at         DATETIME(6)  NULL,
  CONSTRAINT orders_total CHECK (total_amount > 0),
  KEY orders_by_user (user_id, id),
  KEY orders_holding (holding, status, hold_expires_at)
);

CREATE TABLE order_item (
  order_id   VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  product_id BIGINT   NOT NULL,
  quantity   INT      NOT NULL,
  price      BIGINT   NOT NULL COMMENT 'whole KRW for one, when it was ordered',
  PRIMARY KEY (order_id, product_id),
  CONSTRAINT order_item_quantity CHECK (quantity > 0)
);

CREATE TABLE shipping_info (
  order_id  VARCHAR(36)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  recipient VARCHAR(100) NOT NULL,
  phone     VARCHAR(20)  NOT NULL,
  zipcode   VARCHAR(10)  NOT NULL,
  address1  VARCHAR(200) NOT NULL,
  address2  VARCHAR(200) NOT NULL
);

-- Every change of a product's stock, once for each event: the stock is the sum of its rows.
CREATE TABLE product_stock_audit (
  id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  product_id BIGINT       NOT NULL,
  event_id   VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'opening, placed:ORDER, refunded:ORDER, adjusted:UUID',
  delta      INT          NOT NULL,
  reason     VARCHAR(200) NOT NULL,
  created_at DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  UNIQUE KEY product_stock_audit_once (event_id, product_id),
  KEY product_stock_audit_by_product (product_id, id)
);
INSERT INTO product_stock_audit (product_id, event_id, delta, reason) SELECT id, 'opening', stock, 'OPENING' FROM product;

-- A coupon is reserved with an order, used when it is paid, and free again when it is cancelled or expires.
ALTER TABLE coupon_issue
  ADD COLUMN order_id VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN used_at  DATETIME(6) NULL;
