-- What the reconciler found wrong in the gate of the inventory, written before it is repaired: afterwards nothing else would tell.
CREATE TABLE inventory_drift (
  id         BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
  product_id BIGINT      NOT NULL,
  epoch      INT         NOT NULL COMMENT 'of the gate',
  stock      INT         NOT NULL,
  held       BIGINT      NOT NULL,
  available  BIGINT      NOT NULL COMMENT 'in the gate; where it is more than stock - held, more could be sold than there is',
  found_at   DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  KEY inventory_drift_by_product (product_id, id)
);
