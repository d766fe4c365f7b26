-- Until now an order had to cost more than its coupon takes off. Coupons that the previous version creates keep that rule.
ALTER TABLE coupon ALTER COLUMN min_order_amount SET DEFAULT (discount + 1), ALGORITHM=INSTANT;
