CREATE TABLE product (
  id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name       VARCHAR(200) NOT NULL,
  price      BIGINT       NOT NULL COMMENT 'whole KRW',
  stock      INT          NOT NULL,
  on_sale    BOOLEAN      NOT NULL DEFAULT TRUE,
  created_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  CONSTRAINT product_price CHECK (price > 0),
  CONSTRAINT product_stock CHECK (stock >= 0)
);

CREATE TABLE member (
  id         VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'the subject of the token',
  name       VARCHAR(100) NOT NULL,
  role       VARCHAR(16)  NOT NULL COMMENT 'MEMBER, ADMIN',
  created_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);
