-- A coupon can pay a whole order. The previous version makes no order of 0 won.
ALTER TABLE orders DROP CHECK orders_total, ALGORITHM=INSTANT;
