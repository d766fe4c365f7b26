-- For the limits of the open events of a product.
ALTER TABLE event_product ADD KEY event_product_by_product (product_id), ALGORITHM=INPLACE, LOCK=NONE;
