-- Whether the coupon of the order is free again after this refund, the last of its payment.
ALTER TABLE refund ADD COLUMN coupon_back BOOLEAN NOT NULL DEFAULT FALSE, ALGORITHM=INSTANT;
