-- The audit compares the discount with the terms while they are those of this version.
ALTER TABLE orders ADD COLUMN coupon_version INT NULL COMMENT 'The version of the coupon that the discount was computed with. Null: unknown.', ALGORITHM=INSTANT;
