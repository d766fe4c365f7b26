-- The telephone number without hyphens and +, for the search. It is calculated when it is read, and stored in its index only.
ALTER TABLE shipping_info
  ADD COLUMN phone_digits VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin GENERATED ALWAYS AS (REPLACE(REPLACE(phone, '-', ''), '+', '')) VIRTUAL,
  ALGORITHM=INSTANT;
