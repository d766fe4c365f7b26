ALTER TABLE shipping_info ADD KEY shipping_info_by_phone (phone_digits), ALGORITHM=INPLACE, LOCK=NONE;
