-- So do those that exist. Nobody can have created one without a minimum yet.
UPDATE coupon SET min_order_amount = discount + 1 WHERE min_order_amount IS NULL;
