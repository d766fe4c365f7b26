-- Coupons of earlier versions apply to every line.
ALTER TABLE order_item ADD COLUMN discounted BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'Whether the coupon of the order applies to the line.', ALGORITHM=INSTANT;
