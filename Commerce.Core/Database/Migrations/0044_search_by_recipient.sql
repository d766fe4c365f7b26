-- The first characters of a name find its orders.
ALTER TABLE shipping_info ADD KEY shipping_info_by_recipient (recipient(16)), ALGORITHM=INPLACE, LOCK=NONE;
