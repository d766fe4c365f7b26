-- The previous version ignores the terms, so give coupons terms after a deployment has finished.
ALTER TABLE coupon
  ADD COLUMN percent          INT         NULL COMMENT 'Discount in percent, at most the column discount. Null: the discount is that amount.',
  ADD COLUMN min_order_amount BIGINT      NULL COMMENT 'Whole KRW of the products that the coupon applies to, before the discount. Null: no minimum.',
  ADD COLUMN valid_from       DATETIME(6) NULL COMMENT 'Orders can use the coupon from then on. Null: at once.',
  ADD COLUMN valid_until      DATETIME(6) NULL COMMENT 'Orders can use the coupon before then. Null: without end.',
  ADD COLUMN product_ids      JSON        NULL COMMENT 'It applies to these products, and to those of event_ids. Both null: to all.',
  ADD COLUMN event_ids        JSON        NULL,
  ALGORITHM=INSTANT;
